package h2

import (
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// scripted is a server whose frames the test writes.
type scripted struct {
	t      *testing.T
	framer *http2.Framer
	conn   net.Conn
	block  hpackWriter
}

type hpackWriter struct {
	bytes   []byte
	encoder *hpack.Encoder
}

func (w *hpackWriter) Write(part []byte) (int, error) {
	w.bytes = append(w.bytes, part...)
	return len(part), nil
}

func scriptedServer(t *testing.T, settings ...http2.Setting) (*scripted, *Client) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _ = theirs.Close() })
	s := &scripted{t: t, framer: http2.NewFramer(theirs, theirs), conn: theirs}
	s.block.encoder = hpack.NewEncoder(&s.block)
	begun := make(chan error, 1)
	go func() {
		if _, err := io.ReadFull(theirs, make([]byte, len(http2.ClientPreface))); err != nil {
			begun <- err
			return
		}
		begun <- s.framer.WriteSettings(settings...)
	}()
	client, err := NewClient(ours, patience)
	if err != nil || <-begun != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return s, client
}

// next gives the next frame of a kind on a stream; others are passed by.
func next[kind http2.Frame](s *scripted, stream uint32) kind {
	s.t.Helper()
	for {
		frame, err := s.framer.ReadFrame()
		if err != nil {
			s.t.Fatal(err)
		}
		if wanted, is := frame.(kind); is && frame.Header().StreamID == stream {
			return wanted
		}
	}
}

func (s *scripted) answer(stream uint32, ended bool, fields ...hpack.HeaderField) {
	s.block.bytes = nil
	for _, field := range fields {
		_ = s.block.encoder.WriteField(field)
	}
	if err := s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s.block.bytes, EndHeaders: true, EndStream: ended}); err != nil {
		s.t.Fatal(err)
	}
}

var fine = hpack.HeaderField{Name: ":status", Value: "200"}

// starting makes a request in the background, since a pipe holds up whoever writes.
func starting(t *testing.T, client *Client, body []byte) <-chan *Call {
	started := make(chan *Call, 1)
	go func() {
		call, err := client.Start(fieldsOf("POST", "/"), body, true)
		if err != nil {
			t.Error(err)
		}
		started <- call
	}()
	return started
}

func TestNoMoreIsSentThanTheWindowsAllow(t *testing.T) {
	s, client := scriptedServer(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10})
	started := starting(t, client, make([]byte, 100))
	next[*http2.HeadersFrame](s, 1)
	total := 0
	for _, more := range []uint32{1, 30, 59} {
		frame := next[*http2.DataFrame](s, 1)
		total += len(frame.Data())
		if frame.StreamEnded() {
			t.Fatal("ended early")
		}
		if err := s.framer.WriteWindowUpdate(1, more); err != nil {
			t.Fatal(err)
		}
	}
	if total != 10+1+30 {
		t.Fatalf("%d bytes were sent", total)
	}
	if last := next[*http2.DataFrame](s, 1); len(last.Data()) != 59 || !last.StreamEnded() {
		t.Fatalf("the last frame: %v", last)
	}
	s.answer(1, true, fine)
	if got, err := (<-started).All(); err != nil || got.Status != 200 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestAWindowMadeSmallerHoldsUntilItIsAboveZero(t *testing.T) {
	s, client := scriptedServer(t, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 50})
	started := starting(t, client, make([]byte, 100))
	if first := next[*http2.DataFrame](s, 1); len(first.Data()) != 50 {
		t.Fatal(first)
	}
	// The window is now 10 - 50 = -40: 45 more make 5.
	if err := s.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10}); err != nil {
		t.Fatal(err)
	}
	if !next[*http2.SettingsFrame](s, 0).IsAck() {
		next[*http2.SettingsFrame](s, 0)
	}
	for _, more := range []uint32{40, 5} {
		if err := s.framer.WriteWindowUpdate(1, more); err != nil {
			t.Fatal(err)
		}
	}
	if second := next[*http2.DataFrame](s, 1); len(second.Data()) != 5 {
		t.Fatal(second)
	}
	s.answer(1, true, fine)
	if got, err := (<-started).All(); err != nil || got.Status != 200 {
		t.Fatalf("%+v, %v", got, err)
	}
	// The rest of the request is called off.
	if reset := next[*http2.RSTStreamFrame](s, 1); reset.ErrCode != http2.ErrCodeCancel {
		t.Fatal(reset)
	}
}

func TestWhatAServerThatGoesAwayHasNotTakenMayBeSentAgain(t *testing.T) {
	s, client := scriptedServer(t)
	first, second := starting(t, client, nil), (<-chan *Call)(nil)
	next[*http2.HeadersFrame](s, 1)
	taken := <-first
	second = starting(t, client, nil)
	next[*http2.HeadersFrame](s, 3)
	refused := <-second
	if err := s.framer.WriteGoAway(1, http2.ErrCodeNo, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := refused.All(); !Refused(err) {
		t.Fatal(err)
	}
	if _, err := client.Start(fieldsOf("GET", "/"), nil, true); !Refused(err) || client.Usable() {
		t.Fatal(err)
	}
	s.answer(1, true, fine)
	if got, err := taken.All(); err != nil || got.Status != 200 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestHostileFramesEndTheCallWithAnError(t *testing.T) {
	for name, hostile := range map[string]func(s *scripted){
		"no status":       func(s *scripted) { s.answer(1, true, hpack.HeaderField{Name: "x", Value: "y"}) },
		"a bad status":    func(s *scripted) { s.answer(1, true, hpack.HeaderField{Name: ":status", Value: "+2"}) },
		"reset":           func(s *scripted) { _ = s.framer.WriteRSTStream(1, http2.ErrCodeInternal) },
		"goaway with why": func(s *scripted) { _ = s.framer.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, []byte("calm")) },
		"a broken block": func(s *scripted) {
			_ = s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff, 0xff}, EndHeaders: true, EndStream: true})
		},
		"upper-case name":  func(s *scripted) { s.answer(1, true, fine, hpack.HeaderField{Name: "X", Value: "y"}) },
		"a window of zero": func(s *scripted) { _ = s.framer.WriteRawFrame(http2.FrameWindowUpdate, 0, 0, []byte{0, 0, 0, 0}) },
		"a bad setting": func(s *scripted) {
			_ = s.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1})
		},
		"no HTTP/2":           func(s *scripted) { _, _ = s.conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) },
		"half a frame":        func(s *scripted) { _, _ = s.conn.Write([]byte{0, 0, 9, 0}); _ = s.conn.Close() },
		"the connection ends": func(s *scripted) { _ = s.conn.Close() },
	} {
		s, client := scriptedServer(t)
		started := starting(t, client, nil)
		next[*http2.HeadersFrame](s, 1)
		call := <-started
		go func() { _, _ = io.Copy(io.Discard, s.conn) }()
		hostile(s)
		if got, err := call.All(); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
