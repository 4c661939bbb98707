package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"sallyport/bench-peers/internal/http1"
	"sallyport/bench-peers/internal/job"
)

// http1Lane is one connection.
type http1Lane struct {
	world    *world
	requests [][]byte
	conn     *link
	reader   *http1.Reader
}

func http1Lanes(world *world) []lane {
	requests := written(world.job)
	lanes := make([]lane, world.job.Connections)
	for index := range lanes {
		lanes[index] = &http1Lane{world: world, requests: requests, reader: http1.NewReader(nil)}
	}
	return lanes
}

// written is every request of a job as it goes over the wire.
func written(job *job.Job) [][]byte {
	all := make([][]byte, len(job.Requests))
	for index, request := range job.Requests {
		var text bytes.Buffer
		fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", request.Method, request.Path, job.ServerName)
		for _, name := range slices.Sorted(maps.Keys(request.Headers)) {
			fmt.Fprintf(&text, "%s: %s\r\n", name, request.Headers[name])
		}
		if request.BodyFile != nil {
			fmt.Fprintf(&text, "Content-Length: %d\r\n", len(request.Body))
		}
		text.WriteString("\r\n")
		text.Write(request.Body)
		all[index] = text.Bytes()
	}
	return all
}

func (l *http1Lane) ready() (err error) {
	if l.conn == nil {
		if l.conn, err = l.world.dial(l.world.tls, nil); err != nil {
			l.conn = nil
			return err
		}
		l.reader.Reset(l.conn)
	}
	return nil
}

func (l *http1Lane) do(request int) (string, error) {
	answer, err := exchange(l.conn, l.reader, l.requests[request], l.world.job.Requests[request].Method)
	if err != nil || !answer.Reusable {
		_ = l.conn.Close()
		l.conn = nil
	}
	if err != nil {
		return "", err
	}
	return wrong(&l.world.job.Requests[request], answer.Status), nil
}

// exchange sends a request and reads its answer. An answer may come before the request was sent whole, and the connection be closed then.
func exchange(conn *link, reader *http1.Reader, request []byte, method string) (http1.Answer, error) {
	if _, failed := conn.Write(request); failed != nil {
		answer, err := reader.ReadAnswer(method)
		if err != nil {
			return answer, failed
		}
		answer.Reusable = false
		return answer, nil
	}
	return reader.ReadAnswer(method)
}
