// A service on Go's net/http: server MODE. Prints `port <number>`.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	mode := os.Args[1]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := http.Server{Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("content-type", "application/json")
			fmt.Fprint(w, `{"data":`)
			if mode == "flushed" {
				w.(http.Flusher).Flush()
			}
			fmt.Fprint(w, `"ok"}`)
		})}
	if mode == "impatient" {
		server.IdleTimeout = 300 * time.Millisecond
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	panic(server.Serve(listener))
}
