package h2

import (
	"bytes"
	"io"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Reply is how a server answers a request: with fields and a body once the request has ended, or with its own body (gRPC).
type Reply struct {
	Fields []hpack.HeaderField
	Body   []byte
	// Echo sends the request's body back; Live does so with each part, and not only at the end.
	Echo, Live bool
	Trailers   []hpack.HeaderField
}

// server answers on one connection.
type server struct {
	session *Session
	route   func(method, path string) *Reply
}

// exchange is what a server keeps of a stream.
type exchange struct {
	reply   *Reply
	body    []byte
	started bool
}

// Serve answers the requests of a connection that begins with the client's preface, until it ends.
func Serve(conn net.Conn, route func(method, path string) *Reply) error {
	defer conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return err
	}
	if string(preface) != http2.ClientPreface {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	s := &server{route: route}
	s.session = newSession(conn, s)
	s.session.begin(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1_000})
	return s.session.run()
}

func (s *server) headers(frame *http2.MetaHeadersFrame) error {
	stream := s.session.streams[frame.StreamID]
	if stream == nil {
		stream = s.session.open(frame.StreamID)
		stream.User = &exchange{reply: s.route(frame.PseudoValue("method"), frame.PseudoValue("path"))}
	}
	if stream.gotEnd = stream.gotEnd || frame.StreamEnded(); stream.gotEnd {
		s.data(stream, nil, true)
		s.session.leave(stream)
	}
	return nil
}

func (s *server) data(stream *Stream, data []byte, ended bool) {
	kept := stream.User.(*exchange)
	reply := kept.reply
	switch {
	case reply.Echo && reply.Live:
		s.start(stream, kept)
		s.session.send(stream, bytes.Clone(data), ended, trailersAt(ended, reply))
	case !ended:
		if reply.Echo {
			kept.body = append(kept.body, data...)
		}
	default:
		s.start(stream, kept)
		body := reply.Body
		if reply.Echo {
			body = append(kept.body, data...)
		}
		s.session.send(stream, body, true, reply.Trailers)
	}
}

func (s *server) start(stream *Stream, kept *exchange) {
	if !kept.started {
		kept.started = true
		s.session.writeHeaders(stream.ID, kept.reply.Fields, false)
	}
}

func trailersAt(ended bool, reply *Reply) []hpack.HeaderField {
	if !ended {
		return nil
	}
	return reply.Trailers
}

func (s *server) closed(*Stream, error) {}
