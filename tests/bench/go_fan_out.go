// The same fan-out in plain Go, as a sensible user writes it: one goroutine for
// each node, a transport that keeps enough connections, the answers merged into
// one JSON document. A fixed number of calls is in flight, in this process.
// Prints one JSON line.
//
//	go_fan_out CONCURRENCY SECONDS URL...
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"
)

type answer struct {
	Data   json.RawMessage `json:"data"`
	Server struct {
		ServerID string `json:"serverId"`
	} `json:"server"`
}

type result struct {
	ServerID   string `json:"serverId"`
	StatusCode int    `json:"statusCode"`
}

type aggregate struct {
	Data    []json.RawMessage `json:"data"`
	Results []result          `json:"results"`
}

func call(client *http.Client, url string) (answer, int, error) {
	var parsed answer
	response, err := client.Get(url + "/answer")
	if err != nil {
		return parsed, 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return parsed, 0, err
	}
	return parsed, response.StatusCode, json.Unmarshal(body, &parsed)
}

// Asks all nodes at the same time; the aggregate as JSON.
func fanOut(client *http.Client, urls []string) ([]byte, error) {
	merged := aggregate{
		Data:    make([]json.RawMessage, len(urls)),
		Results: make([]result, len(urls)),
	}
	errors := make([]error, len(urls))
	var all sync.WaitGroup
	all.Add(len(urls))
	for i, url := range urls {
		go func(i int, url string) {
			defer all.Done()
			parsed, status, err := call(client, url)
			if err == nil && parsed.Server.ServerID != fmt.Sprintf("node-%d", i) {
				err = fmt.Errorf("%s is %s", url, parsed.Server.ServerID)
			}
			merged.Data[i] = parsed.Data
			merged.Results[i] = result{parsed.Server.ServerID, status}
			errors[i] = err
		}(i, url)
	}
	all.Wait()
	for _, err := range errors {
		if err != nil {
			return nil, err
		}
	}
	return json.Marshal(merged)
}

// The latencies of all calls in microseconds, sorted.
func run(client *http.Client, urls []string, concurrency int, duration time.Duration) []float64 {
	end := time.Now().Add(duration)
	own := make([][]float64, concurrency)
	var all sync.WaitGroup
	all.Add(concurrency)
	for i := range own {
		go func(latencies *[]float64) {
			defer all.Done()
			for start := time.Now(); start.Before(end); start = time.Now() {
				if _, err := fanOut(client, urls); err != nil {
					log.Fatal(err)
				}
				*latencies = append(*latencies, float64(time.Since(start).Nanoseconds())/1e3)
			}
		}(&own[i])
	}
	all.Wait()
	var merged []float64
	for _, latencies := range own {
		merged = append(merged, latencies...)
	}
	sort.Float64s(merged)
	return merged
}

func cpuMicros() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e3
}

func main() {
	concurrency, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	seconds, err := strconv.ParseFloat(os.Args[2], 64)
	if err != nil {
		log.Fatal(err)
	}
	urls := os.Args[3:]
	client := &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			MaxIdleConns:        0,
			MaxIdleConnsPerHost: concurrency,
			DisableCompression:  true,
		},
	}
	run(client, urls, concurrency, 500*time.Millisecond)
	start, before := time.Now(), cpuMicros()
	latencies := run(client, urls, concurrency, time.Duration(seconds*float64(time.Second)))
	cpu, elapsed := cpuMicros()-before, time.Since(start).Seconds()
	calls := float64(len(latencies))
	fmt.Printf("{\"calls\":%.0f,\"calls_per_second\":%.1f,\"p50_us\":%.0f,\"cpu_us_per_call\":%.3f}\n",
		calls, calls/elapsed, latencies[len(latencies)/2], cpu/calls)
}
