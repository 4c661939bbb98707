package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http2/hpack"

	"sallyport/bench-peers/internal/h2"
	"sallyport/bench-peers/internal/job"
)

// sharedConn is a connection that the lanes of its streams use together.
type sharedConn struct {
	mu     sync.Mutex
	world  *world
	client *h2.Client
}

// get gives a connection that takes requests, a new one where the server has let go of the old one.
func (s *sharedConn) get() (*h2.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil && s.client.Usable() {
		return s.client, nil
	}
	conn, err := s.world.dial(s.world.tls, nil)
	if err != nil {
		return nil, err
	}
	client, err := h2.NewClient(conn, dialPatience)
	if err != nil {
		_ = conn.Close()
		return nil, s.world.why(err)
	}
	s.client = client
	return client, nil
}

// http2Lane makes one call after the other on a shared connection.
type http2Lane struct {
	shared *sharedConn
	job    *job.Job
	fields [][]hpack.HeaderField
	bodies [][]byte
	client *h2.Client
	// Of grpc-stream: the open call, its request, and its messages so far.
	call    *h2.Call
	calling int
	sent    int
}

// http2Lanes are ordered so that neighbours in turn are on different connections.
func http2Lanes(world *world) []lane {
	fields, bodies := prepared(world.job)
	conns := make([]*sharedConn, world.job.Connections)
	for index := range conns {
		conns[index] = &sharedConn{world: world}
	}
	var lanes []lane
	for range world.job.Streams {
		for _, conn := range conns {
			lanes = append(lanes, &http2Lane{shared: conn, job: world.job, fields: fields, bodies: bodies})
		}
	}
	return lanes
}

func prepared(job *job.Job) (fields [][]hpack.HeaderField, bodies [][]byte) {
	for _, request := range job.Requests {
		list := []hpack.HeaderField{
			{Name: ":method", Value: request.Method},
			{Name: ":scheme", Value: "https"},
			{Name: ":authority", Value: job.ServerName},
			{Name: ":path", Value: request.Path},
		}
		body := request.Body
		if job.IsGrpc() {
			list = append(list, hpack.HeaderField{Name: "content-type", Value: "application/grpc"}, hpack.HeaderField{Name: "te", Value: "trailers"})
			body = h2.Frame(body)
		} else if request.BodyFile != nil {
			list = append(list, hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(len(body))})
		}
		for _, name := range slices.Sorted(maps.Keys(request.Headers)) {
			list = append(list, hpack.HeaderField{Name: strings.ToLower(name), Value: request.Headers[name]})
		}
		fields, bodies = append(fields, list), append(bodies, body)
	}
	return fields, bodies
}

func (l *http2Lane) ready() (err error) {
	if l.call == nil {
		l.client, err = l.shared.get()
	}
	return err
}

func (l *http2Lane) do(request int) (problem string, err error) {
	for {
		if l.job.Protocol == job.GrpcStream {
			problem, err = l.message(request)
		} else {
			problem, err = l.whole(request)
		}
		if !h2.Refused(err) {
			return problem, err
		}
		// The server went away before it took it: nothing is lost, and the next connection takes it.
		if err = l.ready(); err != nil {
			return "", err
		}
	}
}

func (l *http2Lane) whole(request int) (string, error) {
	call, err := l.client.Start(l.fields[request], l.bodies[request], true)
	if err != nil {
		return "", err
	}
	answer, err := call.All()
	if err != nil {
		return "", err
	}
	return l.judge(request, answer, 1), nil
}

// message sends one message and waits for the one that answers it; the last of a stream ends it, and waits for its status.
func (l *http2Lane) message(request int) (string, error) {
	var err error
	if l.call == nil {
		if l.call, err = l.client.Start(l.fields[request], l.bodies[request], l.job.MessagesPerStream == 1); err != nil {
			l.call = nil
			return "", err
		}
		l.calling, l.sent = request, 1
	} else {
		l.sent++
		l.call.Send(l.bodies[l.calling], l.sent == l.job.MessagesPerStream)
	}
	wanted := l.sent
	if l.sent == l.job.MessagesPerStream {
		wanted++
	}
	answer, ended, err := l.call.Wait(wanted)
	if !ended && err == nil && answer.Messages >= l.sent {
		return "", nil
	}
	calling, sent := l.calling, l.sent
	l.call = nil
	if err != nil {
		return "", err
	}
	return l.judge(calling, answer, sent), nil
}

// judge says what is wrong with an answer that has ended.
func (l *http2Lane) judge(request int, answer h2.Answer, messages int) string {
	wanted := &l.job.Requests[request]
	if problem := wrong(wanted, answer.Status); problem != "" || !l.job.IsGrpc() || answer.Status != http.StatusOK {
		return problem
	}
	if answer.GrpcStatus != wanted.ExpectGrpcStatus {
		return fmt.Sprintf("%s: grpc-status %d instead of %d", wanted.Path, answer.GrpcStatus, wanted.ExpectGrpcStatus)
	}
	if wanted.ExpectGrpcStatus != 0 {
		return ""
	}
	if answer.Messages != messages || (l.job.Protocol == job.GrpcStream && messages != l.job.MessagesPerStream) {
		return fmt.Sprintf("%s: ended with %d messages of %d", wanted.Path, answer.Messages, messages)
	}
	return ""
}
