package h2

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// ourServer is a server of ours, and Go's own client on it.
func ourServer(t *testing.T, route func(method, path string) *Reply) (*http.Client, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = Serve(conn, route) }()
		}
	}()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}, "http://" + listener.Addr().String()
}

func routes(method, path string) *Reply {
	fine := []hpack.HeaderField{{Name: ":status", Value: "200"}}
	done := []hpack.HeaderField{{Name: "grpc-status", Value: "0"}}
	switch method + " " + path {
	case "GET /big":
		return &Reply{Fields: fine, Body: bytes.Repeat([]byte("x"), 9_000_000)}
	case "POST /echo":
		return &Reply{Fields: fine, Echo: true, Trailers: done}
	case "POST /live":
		return &Reply{Fields: fine, Echo: true, Live: true, Trailers: done}
	}
	return &Reply{Fields: []hpack.HeaderField{{Name: ":status", Value: "404"}}}
}

func TestOtherClientsGetWholeAnswers(t *testing.T) {
	client, url := ourServer(t, routes)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for path, want := range map[string]int{"/big": 9_000_000, "/none": 0} {
				response, err := client.Get(url + path)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(response.Body)
				if err != nil || len(body) != want || (response.StatusCode == 200) != (want > 0) {
					t.Errorf("%s: %d, %d bytes, %v", path, response.StatusCode, len(body), err)
				}
			}
		})
	}
	all.Wait()
}

func TestEchoesComeBackWithTrailers(t *testing.T) {
	client, url := ourServer(t, routes)
	sent := bytes.Repeat([]byte("abcdefg"), 500_000)
	for _, path := range []string{"/echo", "/live"} {
		response, err := client.Post(url+path, "application/grpc", bytes.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || !bytes.Equal(body, sent) || response.Trailer.Get("Grpc-Status") != "0" {
			t.Errorf("%s: %d bytes, %v, %v", path, len(body), err, response.Trailer)
		}
	}
}

func TestALiveEchoAnswersEachPart(t *testing.T) {
	client, url := ourServer(t, routes)
	read, write := io.Pipe()
	go func() { _, _ = write.Write([]byte("one")) }()
	response, err := client.Post(url+"/live", "application/grpc", read)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for _, part := range []string{"one", "two", "three"} {
		got := make([]byte, len(part))
		if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != part {
			t.Fatalf("%q, %v", got, err)
		}
		if part == "one" {
			go func() { _, _ = write.Write([]byte("two")); _, _ = write.Write([]byte("three")); _ = write.Close() }()
		}
	}
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) != 0 {
		t.Fatalf("%q, %v", rest, err)
	}
}

func TestWhatDoesNotBeginWithThePrefaceIsClosed(t *testing.T) {
	ours, theirs := net.Pipe()
	go func() { _, _ = theirs.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")) }()
	if err := Serve(ours, routes); err == nil {
		t.Fatal("served")
	}
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
}
