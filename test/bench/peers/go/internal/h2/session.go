// Package h2 is HTTP/2 (RFC 9113) for a load and its upstream: frames and HPACK are x/net's, streams and flow control are ours, and a request costs
// no goroutine of its own.
package h2

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// What we let the other side send before we say more (section 5.2): as much as the largest answer of the bench.
	streamWindow     = 1 << 20
	connectionWindow = 16 << 20
	defaultWindow    = 65_535
	readBytes        = 64 << 10
	maxTableBytes    = 4_096
	maxFrameBytes    = 16 << 10
)

// errGone is the end of a connection that was announced.
var errGone = errors.New("h2: the other side closed the connection")

// Stream is one exchange. Its fields belong to the session's lock.
type Stream struct {
	ID uint32
	// User is what the session's handler keeps with it.
	User any

	session *Session
	// May be below zero after SETTINGS made windows smaller (section 6.9.2).
	sendWindow int64
	untold     uint32
	pending    []byte
	endAfter   bool
	trailers   []hpack.HeaderField
	sentEnd    bool
	gotEnd     bool
}

// handler is what differs between client and server. Called with the session's lock held; it must not wait.
type handler interface {
	headers(frame *http2.MetaHeadersFrame) error
	data(stream *Stream, data []byte, ended bool)
	// closed is called once for a stream that did not end in order.
	closed(stream *Stream, err error)
}

// Session is one connection.
type Session struct {
	mu       sync.Mutex
	conn     net.Conn
	framer   *http2.Framer
	handler  handler
	streams  map[uint32]*Stream
	out      bytes.Buffer
	spare    bytes.Buffer
	kick     chan struct{}
	encoder  *hpack.Encoder
	block    bytes.Buffer
	window   int64
	untold   uint32
	initial  int64
	maxFrame int
	// What the other side allows us to have open at once.
	maxStreams uint32
	settled    chan struct{}
	isSettled  bool
	draining   bool
	err        error
	changed    *sync.Cond
}

func newSession(conn net.Conn, handler handler) *Session {
	s := &Session{
		conn: conn, handler: handler, streams: map[uint32]*Stream{}, kick: make(chan struct{}, 1), settled: make(chan struct{}),
		window: defaultWindow, initial: defaultWindow, maxFrame: maxFrameBytes, maxStreams: 1 << 31,
	}
	s.changed = sync.NewCond(&s.mu)
	s.encoder = hpack.NewEncoder(&s.block)
	s.framer = http2.NewFramer(&s.out, bufio.NewReaderSize(conn, readBytes))
	s.framer.SetReuseFrames()
	s.framer.SetMaxReadFrameSize(maxFrameBytes)
	s.framer.ReadMetaHeaders = hpack.NewDecoder(maxTableBytes, nil)
	return s
}

// begin says our settings.
func (s *Session) begin(settings ...http2.Setting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.framer.WriteSettings(append(settings, http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow})...)
	_ = s.framer.WriteWindowUpdate(0, connectionWindow-defaultWindow)
	s.wake()
}

// run reads frames until the connection ends, and says why.
func (s *Session) run() error {
	go s.write()
	for {
		frame, err := s.framer.ReadFrame()
		if broken := (http2.StreamError{}); errors.As(err, &broken) {
			s.mu.Lock()
			s.reset(broken.StreamID, broken.Code, err)
			s.mu.Unlock()
			continue
		}
		if err == nil {
			s.mu.Lock()
			err = s.take(frame)
			s.mu.Unlock()
		}
		if err != nil {
			s.end(err)
			return err
		}
	}
}

// end closes the connection and everything on it.
func (s *Session) end(err error) {
	if err == io.EOF {
		err = errGone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	_ = s.conn.Close()
	for id, stream := range s.streams {
		delete(s.streams, id)
		s.handler.closed(stream, err)
	}
	s.settle()
	close(s.kick)
	s.changed.Broadcast()
}

// write sends what has gathered. Before that it lets everybody else run who has something to say: many frames then share one TLS record and one call.
func (s *Session) write() {
	for range s.kick {
		runtime.Gosched()
		s.mu.Lock()
		s.out, s.spare = s.spare, s.out
		s.mu.Unlock()
		_, err := s.conn.Write(s.spare.Bytes())
		s.spare.Reset()
		if err != nil {
			s.end(err)
		}
	}
}

// wake has the gathered frames sent.
func (s *Session) wake() {
	if s.err != nil || s.out.Len() == 0 {
		return
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (s *Session) take(frame http2.Frame) error {
	defer s.wake()
	switch frame := frame.(type) {
	case *http2.MetaHeadersFrame:
		return s.handler.headers(frame)
	case *http2.DataFrame:
		return s.takeData(frame)
	case *http2.SettingsFrame:
		return s.takeSettings(frame)
	case *http2.WindowUpdateFrame:
		return s.takeWindow(frame)
	case *http2.RSTStreamFrame:
		s.forget(frame.StreamID, fmt.Errorf("h2: stream was reset: %v", frame.ErrCode))
	case *http2.PingFrame:
		if !frame.IsAck() {
			return s.framer.WritePing(true, frame.Data)
		}
	case *http2.GoAwayFrame:
		s.draining = true
		for id := range s.streams {
			if id > frame.LastStreamID {
				s.forget(id, errRefused)
			}
		}
		s.changed.Broadcast()
		if frame.ErrCode != http2.ErrCodeNo {
			return fmt.Errorf("h2: connection was closed: %v %.100q", frame.ErrCode, frame.DebugData())
		}
	case *http2.PushPromiseFrame:
		return errors.New("h2: a push that was forbidden")
	}
	return nil
}

func (s *Session) takeData(frame *http2.DataFrame) error {
	// Padding and what belongs to no stream any more count as well (section 6.9).
	size := frame.Length
	if s.untold += size; s.untold >= connectionWindow/2 {
		_ = s.framer.WriteWindowUpdate(0, s.untold)
		s.untold = 0
	}
	stream := s.streams[frame.StreamID]
	if stream == nil || stream.gotEnd {
		return nil
	}
	if stream.untold += size; stream.untold >= streamWindow/2 && !frame.StreamEnded() {
		_ = s.framer.WriteWindowUpdate(stream.ID, stream.untold)
		stream.untold = 0
	}
	stream.gotEnd = frame.StreamEnded()
	s.handler.data(stream, frame.Data(), stream.gotEnd)
	s.leave(stream)
	return nil
}

func (s *Session) takeSettings(frame *http2.SettingsFrame) error {
	if frame.IsAck() {
		return nil
	}
	err := frame.ForeachSetting(func(setting http2.Setting) error {
		switch setting.ID {
		case http2.SettingInitialWindowSize:
			for _, stream := range s.streams {
				stream.sendWindow += int64(setting.Val) - s.initial
			}
			s.initial = int64(setting.Val)
		case http2.SettingMaxFrameSize:
			s.maxFrame = int(setting.Val)
		case http2.SettingMaxConcurrentStreams:
			s.maxStreams = setting.Val
		case http2.SettingHeaderTableSize:
			s.encoder.SetMaxDynamicTableSizeLimit(min(setting.Val, maxTableBytes))
		}
		return setting.Valid()
	})
	if err != nil {
		return err
	}
	_ = s.framer.WriteSettingsAck()
	s.settle()
	s.changed.Broadcast()
	s.pumpAll()
	return nil
}

func (s *Session) settle() {
	if !s.isSettled {
		s.isSettled = true
		close(s.settled)
	}
}

func (s *Session) takeWindow(frame *http2.WindowUpdateFrame) error {
	if frame.StreamID == 0 {
		s.window += int64(frame.Increment)
		s.pumpAll()
	} else if stream := s.streams[frame.StreamID]; stream != nil {
		stream.sendWindow += int64(frame.Increment)
		s.pump(stream)
	}
	return nil
}

// open adds a stream.
func (s *Session) open(id uint32) *Stream {
	stream := &Stream{ID: id, session: s, sendWindow: s.initial}
	s.streams[id] = stream
	return stream
}

// writeHeaders sends a header block; more than one frame takes is not made here.
func (s *Session) writeHeaders(id uint32, fields []hpack.HeaderField, ended bool) {
	s.block.Reset()
	for _, field := range fields {
		_ = s.encoder.WriteField(field)
	}
	_ = s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: s.block.Bytes(), EndHeaders: true, EndStream: ended})
}

// send puts data behind what waits for the stream's windows, and ends our side behind it. `data` must stay as it is until it is sent.
func (s *Session) send(stream *Stream, data []byte, ended bool, trailers []hpack.HeaderField) {
	if len(stream.pending) == 0 {
		stream.pending = data
	} else {
		stream.pending = append(bytes.Clone(stream.pending), data...)
	}
	stream.endAfter, stream.trailers = ended, trailers
	s.pump(stream)
}

func (s *Session) pumpAll() {
	for _, stream := range s.streams {
		s.pump(stream)
	}
}

// pump sends what the windows of connection and stream allow.
func (s *Session) pump(stream *Stream) {
	for len(stream.pending) > 0 {
		size := int(min(int64(len(stream.pending)), int64(s.maxFrame), s.window, stream.sendWindow))
		if size <= 0 {
			return
		}
		part := stream.pending[:size]
		stream.pending = stream.pending[size:]
		s.window -= int64(size)
		stream.sendWindow -= int64(size)
		stream.sentEnd = stream.endAfter && len(stream.pending) == 0 && stream.trailers == nil
		_ = s.framer.WriteData(stream.ID, stream.sentEnd, part)
	}
	if stream.endAfter && !stream.sentEnd {
		stream.sentEnd = true
		if stream.trailers != nil {
			s.writeHeaders(stream.ID, stream.trailers, true)
		} else {
			_ = s.framer.WriteData(stream.ID, true, nil)
		}
	}
	s.leave(stream)
}

// leave drops a stream that both sides have ended.
func (s *Session) leave(stream *Stream) {
	if stream.sentEnd && stream.gotEnd {
		delete(s.streams, stream.ID)
		s.changed.Broadcast()
	}
}

// reset ends a stream out of order and tells the other side.
func (s *Session) reset(id uint32, code http2.ErrCode, err error) {
	_ = s.framer.WriteRSTStream(id, code)
	s.forget(id, err)
	s.wake()
}

func (s *Session) forget(id uint32, err error) {
	stream := s.streams[id]
	if stream == nil {
		return
	}
	delete(s.streams, id)
	if !stream.gotEnd || !stream.sentEnd {
		s.handler.closed(stream, err)
	}
	s.changed.Broadcast()
}
