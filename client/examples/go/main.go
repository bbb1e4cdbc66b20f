// A service that is one of a cluster; ../README.md tells what it shows.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	pb "hello/clusterv1"
)

const (
	serverType  = "hello"
	callTimeout = 5 * time.Second
)

type object map[string]any

// What gRPC does by itself is made for servers that stay where they are.
var (
	// Gives up an attempt to connect that is not answered after 2 s, not 20.
	connectParams = grpc.ConnectParams{
		Backoff: backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6,
			Jitter: 0.2, MaxDelay: 1600 * time.Millisecond},
		MinConnectTimeout: 2 * time.Second,
	}
	// Notices a connection that leads nowhere any more.
	keepaliveParams = keepalive.ClientParameters{
		Time: 10 * time.Second, Timeout: 5 * time.Second}
)

// service answers HTTP requests.
type service struct {
	id     string
	fanOut pb.FanOutServiceClient
}

func (s *service) hello(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, object{
		"data":   []string{"hello from " + s.id},
		"server": object{"serverId": s.id},
	})
}

func (s *service) everyone(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	answer, err := s.fanOut.FanOut(ctx, &pb.FanOutRequest{
		Type: serverType,
		Call: &pb.FanOutRequest_Http{Http: &pb.HttpCall{Method: "GET", Path: "/hello"}},
	})
	if err != nil {
		write(w, http.StatusBadGateway, object{"statusCode": 502, "message": err.Error()})
		return
	}
	failed := []string{}
	for _, failure := range answer.Failures {
		failed = append(failed, failure.ServerId)
	}
	write(w, http.StatusOK, object{
		"verdict": answer.Verdict.String(),
		"data":    json.RawMessage(answer.DataJson),
		"failed":  failed,
	})
}

func write(w http.ResponseWriter, status int, body object) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func run() error {
	// Passed through, the name is looked up with every attempt to connect. gRPC's
	// own resolver waits for 30 s before it looks it up again.
	connection, err := grpc.NewClient(
		"passthrough:///"+env("CLUSTERD_ADDRESS", "127.0.0.1:7700"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(connectParams), grpc.WithKeepaliveParams(keepaliveParams))
	if err != nil {
		return err
	}
	defer connection.Close()
	id := env("SERVER_ID", fmt.Sprintf("go-%08x", rand.Uint32()))

	service := &service{id: id, fanOut: pb.NewFanOutServiceClient(connection)}
	routes := http.NewServeMux()
	routes.HandleFunc("/hello", service.hello)
	routes.HandleFunc("/everyone", service.everyone)
	listener, err := net.Listen("tcp", "127.0.0.1:"+env("PORT", "0"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: routes}
	go server.Serve(listener)
	defer server.Close()
	url := "http://" + listener.Addr().String()
	fmt.Printf("%s serves at %s\n", id, url)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	session := &session{
		registry: pb.NewRegistryServiceClient(connection),
		server:   &pb.Server{Type: serverType, ServerId: id, ClusterBaseUrl: url},
	}
	if err := session.Run(ctx); err != nil {
		log.Printf("session: %v", err)
	}
	<-ctx.Done()
	return nil
}

func main() {
	rand.Seed(time.Now().UnixNano())
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
