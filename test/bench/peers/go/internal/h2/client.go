package h2

import (
	"errors"
	"net"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// errRefused is a request that the server says it has not looked at (section 6.8): it may be sent again elsewhere.
var errRefused = errors.New("h2: the server went away before it took the request")

const lastStreamID = 1<<31 - 1

// Client is a connection on which requests are made.
type Client struct {
	session *Session
	nextID  uint32
	ended   chan struct{}
}

// Answer is what a load wants to know of an answer. GrpcStatus is -1 where none was given.
type Answer struct {
	Status, GrpcStatus int
	BodyBytes          int64
	// Messages are the complete gRPC messages of the body.
	Messages int
}

// Call is a request on its way. It belongs to one goroutine.
type Call struct {
	stream *Stream
	client *Client
	// The rest belongs to the session's lock.
	answer  Answer
	framing messageCounter
	// The caller waits for so many messages, or the end.
	wanted int
	woken  chan struct{}
	done   bool
	err    error
}

// NewClient begins HTTP/2 on a connection and waits for the server's settings.
func NewClient(conn net.Conn, patience time.Duration) (*Client, error) {
	client := &Client{nextID: 1, ended: make(chan struct{})}
	client.session = newSession(conn, client)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return nil, err
	}
	client.session.begin(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	go func() {
		_ = client.session.run()
		close(client.ended)
	}()
	select {
	case <-client.session.settled:
	case <-time.After(patience):
		client.session.end(errors.New("h2: no SETTINGS from the server"))
	}
	client.session.mu.Lock()
	defer client.session.mu.Unlock()
	return client, client.session.err
}

// Usable says whether another request can be made.
func (c *Client) Usable() bool {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	return c.usable()
}

func (c *Client) usable() bool {
	return c.session.err == nil && !c.session.draining && c.nextID < lastStreamID
}

// Close breaks off everything on the connection.
func (c *Client) Close() { c.session.end(net.ErrClosed) }

// OnEnd has a function called when the connection has ended.
func (c *Client) OnEnd(ended func()) {
	go func() {
		<-c.ended
		ended()
	}()
}

// Start sends a request, after those before it where the server allows no more streams at once. With `ended` the body is all there is.
func (c *Client) Start(fields []hpack.HeaderField, body []byte, ended bool) (*Call, error) {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for c.usable() && uint32(len(s.streams)) >= s.maxStreams {
		s.changed.Wait()
	}
	if !c.usable() {
		if s.err != nil {
			return nil, s.err
		}
		return nil, errRefused
	}
	call := &Call{client: c, answer: Answer{GrpcStatus: -1}, woken: make(chan struct{}, 1)}
	call.stream = s.open(c.nextID)
	call.stream.User = call
	c.nextID += 2
	bare := ended && len(body) == 0
	s.writeHeaders(call.stream.ID, fields, bare)
	if call.stream.sentEnd = bare; !bare {
		s.send(call.stream, body, ended, nil)
	}
	s.wake()
	return call, nil
}

// Send sends more of the body.
func (call *Call) Send(data []byte, ended bool) {
	s := call.client.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if !call.done && s.streams[call.stream.ID] != nil {
		s.send(call.stream, data, ended, nil)
		s.wake()
	}
}

// Wait waits until the answer has so many messages, or has ended; it has with `ended`.
func (call *Call) Wait(messages int) (answer Answer, ended bool, err error) {
	s := call.client.session
	s.mu.Lock()
	defer s.mu.Unlock()
	call.wanted = messages
	for !call.ready() {
		s.mu.Unlock()
		<-call.woken
		s.mu.Lock()
	}
	if call.done && s.streams[call.stream.ID] != nil {
		// The answer came before the request had ended: nobody wants the rest (section 8.1).
		s.reset(call.stream.ID, http2.ErrCodeCancel, nil)
	}
	return call.answer, call.done, call.err
}

// All waits for the end of the answer.
func (call *Call) All() (Answer, error) {
	answer, _, err := call.Wait(1 << 30)
	return answer, err
}

func (call *Call) ready() bool { return call.done || call.answer.Messages >= call.wanted }

func (call *Call) wake() {
	if call.ready() {
		select {
		case call.woken <- struct{}{}:
		default:
		}
	}
}

func (c *Client) headers(frame *http2.MetaHeadersFrame) error {
	stream := c.session.streams[frame.StreamID]
	if stream == nil || stream.gotEnd {
		return nil
	}
	call := stream.User.(*Call)
	status := 0
	for _, field := range frame.Fields {
		switch field.Name {
		case ":status":
			status = number(field.Value)
		case "grpc-status":
			call.answer.GrpcStatus = number(field.Value)
		}
	}
	if status >= 200 {
		call.answer.Status = status
	}
	if stream.gotEnd = frame.StreamEnded(); stream.gotEnd {
		c.finish(call, nil)
		c.session.leave(stream)
	}
	return nil
}

func (c *Client) data(stream *Stream, data []byte, ended bool) {
	call := stream.User.(*Call)
	call.answer.BodyBytes += int64(len(data))
	call.answer.Messages += call.framing.add(data)
	if ended {
		c.finish(call, nil)
	} else {
		call.wake()
	}
}

func (c *Client) closed(stream *Stream, err error) { c.finish(stream.User.(*Call), err) }

func (c *Client) finish(call *Call, err error) {
	if call.done {
		return
	}
	if err == nil && call.answer.Status == 0 {
		err = errors.New("h2: an answer without status")
	}
	call.done, call.err = true, err
	call.wake()
}

// number reads a whole number; -1 for anything else.
func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil || value < 0 {
		return -1
	}
	return value
}

// Refused says of an error that the request may be sent again on another connection.
func Refused(err error) bool { return errors.Is(err, errRefused) }
