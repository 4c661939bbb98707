package main

import (
	"io"
	"net"

	"golang.org/x/net/http2"

	"sallyport/bench-peers/internal/h2"
)

// peeked is a connection whose first bytes have been looked at.
type peeked struct {
	net.Conn
	first []byte
}

func (p *peeked) Read(into []byte) (int, error) {
	if len(p.first) == 0 {
		return p.Conn.Read(into)
	}
	n := copy(into, p.first)
	p.first = p.first[n:]
	return n, nil
}

// serveEither tells HTTP/2 by its preface (RFC 9113 3.4), whose first bytes begin no request of HTTP/1.1.
func serveEither(conn net.Conn) {
	first := make([]byte, len("PRI "))
	if _, err := io.ReadFull(conn, first); err != nil {
		conn.Close()
		return
	}
	whole := &peeked{Conn: conn, first: first}
	if string(first) == http2.ClientPreface[:len(first)] {
		_ = h2.Serve(whole, routeHTTP2)
		return
	}
	serveHTTP1(whole)
}
