// Command upstream is the agent behind every target: HTTP/1.1 on one port of 127.0.0.1 and HTTP/2 by prior knowledge on another. It prints
// {"http1":port,"h2c":port} and ends on SIGTERM. It shares a core with the load, so it does as little as it can.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"bytes"
)

func main() {
	runtime.GOMAXPROCS(1)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	prior, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	var h2c http.Protocols
	h2c.SetUnencryptedHTTP2(true)
	go func() { log.Fatal(http.Serve(plain, http.HandlerFunc(answer))) }()
	go func() {
		server := http.Server{Handler: http.HandlerFunc(answer), Protocols: &h2c, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1000}}
		log.Fatal(server.Serve(prior))
	}()
	_ = json.NewEncoder(os.Stdout).Encode(map[string]int{"http1": port(plain), "h2c": port(prior)})
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	<-ended
}

func port(listener net.Listener) int {
	return listener.Addr().(*net.TCPAddr).Port
}

var (
	small = bytes.Repeat([]byte("x"), 1000)
	big   = bytes.Repeat([]byte("x"), 1_000_000)
)

func answer(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/bench.Echo/Unary", "/bench.Echo/Stream":
		echo(w, r)
	case "/api/v1/catalog/big":
		if r.Method == http.MethodPost {
			reply(w, r, small)
			return
		}
		reply(w, r, big)
	case "/api/v1/catalog/items", "/api/v1/catalog/query":
		reply(w, r, small)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func reply(w http.ResponseWriter, r *http.Request, body []byte) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(body)
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	buffer := make([]byte, 16<<10)
	for {
		n, err := r.Body.Read(buffer)
		if n > 0 {
			if _, failed := w.Write(buffer[:n]); failed != nil {
				return
			}
			if r.URL.Path == "/bench.Echo/Stream" {
				_ = flush()
			}
		}
		if err != nil {
			break
		}
	}
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
}
