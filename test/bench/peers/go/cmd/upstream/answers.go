package main

import (
	"bytes"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/net/http2/hpack"

	"sallyport/bench-peers/internal/h2"
	"sallyport/bench-peers/internal/http1"
)

// catalog is every answer, by method and path.
var catalog = map[string][]byte{
	"GET /api/v1/catalog/items":  bytes.Repeat([]byte("x"), 1_000),
	"POST /api/v1/catalog/query": bytes.Repeat([]byte("x"), 1_000),
	"GET /api/v1/catalog/big":    bytes.Repeat([]byte("x"), 1_000_000),
	"POST /api/v1/catalog/big":   bytes.Repeat([]byte("x"), 1_000),
}

var (
	overHTTP1 = map[string][]byte{}
	notHere1  = inHTTP1(404, "Not Found", []byte("not here\n"))
	notHere2  = inHTTP2(404, []byte("not here\n"))
	ofGrpc    = []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"}}
	succeeded = []hpack.HeaderField{{Name: "grpc-status", Value: "0"}}
	overHTTP2 = map[string]*h2.Reply{
		"POST /bench.Echo/Unary":  {Fields: ofGrpc, Echo: true, Trailers: succeeded},
		"POST /bench.Echo/Stream": {Fields: ofGrpc, Echo: true, Live: true, Trailers: succeeded},
	}
)

func init() {
	for name, body := range catalog {
		overHTTP1[name] = inHTTP1(200, "OK", body)
		overHTTP2[name] = inHTTP2(200, body)
	}
}

func inHTTP1(status int, reason string, body []byte) []byte {
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", status, reason, len(body))
	return append([]byte(head), body...)
}

func inHTTP2(status int, body []byte) *h2.Reply {
	return &h2.Reply{Body: body, Fields: []hpack.HeaderField{
		{Name: ":status", Value: strconv.Itoa(status)},
		{Name: "content-type", Value: "application/json"},
		{Name: "content-length", Value: strconv.Itoa(len(body))},
	}}
}

func routeHTTP2(method, path string) *h2.Reply {
	if reply := overHTTP2[nameOf(method, path)]; reply != nil {
		return reply
	}
	return notHere2
}

// nameOf leaves the query out.
func nameOf[text string | []byte](method, target text) string {
	for index := range len(target) {
		if target[index] == '?' {
			target = target[:index]
			break
		}
	}
	return string(method) + " " + string(target)
}

// serveHTTP1 answers what comes on a connection; whatever is not HTTP/1.1 ends it.
func serveHTTP1(conn net.Conn) {
	defer conn.Close()
	reader := http1.NewReader(conn)
	for {
		request, err := reader.ReadRequest()
		if err != nil {
			return
		}
		answer, known := overHTTP1[nameOf(request.Method, request.Target)]
		if !known {
			answer = notHere1
		}
		if _, err := reader.SkipBody(request); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil || request.Last {
			return
		}
	}
}
