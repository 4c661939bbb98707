package h2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

const patience = 20 * time.Second

// goServer is Go's own HTTP/2 server by prior knowledge, and a client of ours on it.
func goServer(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: &protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 10}}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return clientOf(t, listener.Addr().String())
}

func clientOf(t *testing.T, address string) *Client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(conn, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func fieldsOf(method, path string) []hpack.HeaderField {
	return []hpack.HeaderField{{Name: ":method", Value: method}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "x"}, {Name: ":path", Value: path}}
}

func ask(t *testing.T, client *Client, method, path string, body []byte) Answer {
	t.Helper()
	call, err := client.Start(fieldsOf(method, path), body, true)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := call.All()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func echoLength(w http.ResponseWriter, r *http.Request) {
	taken, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		w.WriteHeader(500)
		return
	}
	size, _ := strconv.Atoi(r.URL.Query().Get("size"))
	w.Header().Set("Got", strconv.FormatInt(taken, 10))
	w.WriteHeader(200)
	_, _ = w.Write(bytes.Repeat([]byte("x"), size+int(taken)))
}

func TestBodiesLargerThanEveryWindowPassBothWays(t *testing.T) {
	client := goServer(t, echoLength)
	for range 20 {
		if got := ask(t, client, "POST", "/?size=2000000", make([]byte, 3_000_000)); got.Status != 200 || got.BodyBytes != 5_000_000 {
			t.Fatalf("%+v", got)
		}
	}
}

func TestManyStreamsShareAConnectionWithinTheServersLimit(t *testing.T) {
	client := goServer(t, echoLength)
	var all sync.WaitGroup
	for worker := range 40 {
		all.Go(func() {
			for turn := range 25 {
				size := worker*1_000 + turn
				call, err := client.Start(fieldsOf("POST", fmt.Sprint("/?size=", size)), make([]byte, 100), true)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := call.All(); err != nil || got.BodyBytes != int64(size+100) {
					t.Errorf("%d bytes: %+v, %v", size, got, err)
				}
			}
		})
	}
	all.Wait()
}

func TestStatusesAreTold(t *testing.T) {
	client := goServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/denied":
			w.WriteHeader(403)
		case "/early":
			w.WriteHeader(103)
			w.WriteHeader(204)
		case "/trailers":
			w.Header().Set("Trailer", "Grpc-Status")
			_, _ = w.Write(Frame([]byte("hello")))
			w.Header().Set("Grpc-Status", "5")
		case "/only":
			w.Header().Set("Grpc-Status", "7")
		}
	})
	for path, want := range map[string]Answer{
		"/denied":   {Status: 403, GrpcStatus: -1},
		"/early":    {Status: 204, GrpcStatus: -1},
		"/trailers": {Status: 200, GrpcStatus: 5, BodyBytes: 10, Messages: 1},
		"/only":     {Status: 200, GrpcStatus: 7},
	} {
		if got := ask(t, client, "GET", path, nil); got != want {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestAnAnswerBeforeTheEndOfTheRequestLeavesTheConnectionUsable(t *testing.T) {
	client := goServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/denied" {
			w.WriteHeader(403)
			return
		}
		echoLength(w, r)
	})
	for range 5 {
		if got := ask(t, client, "POST", "/denied", make([]byte, 8_000_000)); got.Status != 403 {
			t.Fatalf("%+v", got)
		}
		if got := ask(t, client, "POST", "/", make([]byte, 100_000)); got.Status != 200 || got.BodyBytes != 100_000 {
			t.Fatalf("%+v", got)
		}
	}
}

func TestAStreamPingPongs(t *testing.T) {
	client := goServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		buffer := make([]byte, 100)
		for {
			n, err := r.Body.Read(buffer)
			_, _ = w.Write(buffer[:n])
			_ = http.NewResponseController(w).Flush()
			if err != nil {
				break
			}
		}
		w.Header().Set("Grpc-Status", "0")
	})
	call, err := client.Start(fieldsOf("POST", "/"), Frame([]byte("1")), false)
	if err != nil {
		t.Fatal(err)
	}
	for count := 1; count < 50; count++ {
		if got, ended, err := call.Wait(count); err != nil || ended || got.Messages != count {
			t.Fatalf("message %d: %+v, %v, %v", count, got, ended, err)
		}
		call.Send(Frame([]byte("again")), count == 49)
	}
	if got, err := call.All(); err != nil || got.GrpcStatus != 0 || got.Messages != 50 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestABrokenStreamIsAnErrorAndOnlyThat(t *testing.T) {
	client := goServer(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			panic(http.ErrAbortHandler)
		}
	})
	call, err := client.Start(fieldsOf("GET", "/broken"), nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := call.All(); err == nil {
		t.Fatalf("%+v", got)
	}
	if got := ask(t, client, "GET", "/", nil); got.Status != 200 {
		t.Fatalf("%+v", got)
	}
}

func TestNobodyWaitsForAConnectionThatHasEnded(t *testing.T) {
	held := make(chan struct{})
	client := goServer(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	})
	defer close(held)
	var calls []*Call
	for range 10 {
		call, err := client.Start(fieldsOf("GET", "/"), nil, true)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, call)
	}
	// The eleventh has to wait for a place.
	refused := make(chan error)
	go func() {
		_, err := client.Start(fieldsOf("GET", "/"), nil, true)
		refused <- err
	}()
	ended := make(chan struct{})
	client.OnEnd(func() { close(ended) })
	client.Close()
	for _, call := range calls {
		if _, err := call.All(); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
	if err := <-refused; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	<-ended
	if client.Usable() {
		t.Error("usable after its end")
	}
}
