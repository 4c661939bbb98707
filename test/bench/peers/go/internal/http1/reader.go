// Package http1 reads HTTP/1.1 messages (RFC 9112) as cheaply as a load can: it finds where each ends, and keeps no header or body.
package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	bufferBytes = 32 << 10
	// A head, a line of a chunked body and its trailers may be as long as this.
	maxHeadBytes = 16 << 10
	maxLineBytes = 4 << 10
)

// ErrTooLong is a head, a chunk line or trailers beyond the limit.
var ErrTooLong = errors.New("http1: head or line is too long")

// Reader takes messages from a connection, one after the other.
type Reader struct {
	source  io.Reader
	buffer  []byte
	at, end int
}

// NewReader reads from a connection.
func NewReader(source io.Reader) *Reader {
	return &Reader{source: source, buffer: make([]byte, bufferBytes)}
}

// Reset forgets what was read, for a new connection.
func (r *Reader) Reset(source io.Reader) { r.source, r.at, r.end = source, 0, 0 }

// Answer is what a load wants to know of an answer.
type Answer struct {
	Status int
	// Reusable says that the connection takes another request.
	Reusable  bool
	BodyBytes int64
}

// ReadAnswer reads a whole answer to a request with this method, interim ones (1xx) passed by.
func (r *Reader) ReadAnswer(method string) (Answer, error) {
	for {
		head, err := r.head()
		if err != nil {
			return Answer{}, err
		}
		status, err := statusOf(head.line)
		if err != nil {
			return Answer{}, err
		}
		if status < 200 {
			if status == 101 {
				return Answer{}, errors.New("http1: status 101 was not asked for")
			}
			continue
		}
		answer := Answer{Status: status, Reusable: !head.close}
		if method == "HEAD" || status == 204 || status == 304 {
			return answer, nil
		}
		if !head.chunked && head.length < 0 {
			answer.Reusable = false
			answer.BodyBytes, err = r.skipAll()
			return answer, err
		}
		answer.BodyBytes, err = r.skipBody(head)
		return answer, err
	}
}

// Request is a request line; its slices are good until the next read.
type Request struct {
	Method, Target []byte
	// Last says that the client wants the connection closed after the answer.
	Last bool
	head head
}

// ReadRequest reads the head of a request; io.EOF where the connection ended before it. The body is to be skipped next.
func (r *Reader) ReadRequest() (Request, error) {
	head, err := r.head()
	if err != nil {
		return Request{}, err
	}
	method, rest, found := bytes.Cut(head.line, []byte(" "))
	target, version, both := bytes.Cut(rest, []byte(" "))
	if !found || !both || len(method) == 0 || len(target) == 0 || string(version) != "HTTP/1.1" {
		return Request{}, fmt.Errorf("http1: not a request line: %.60q", head.line)
	}
	if !head.chunked && head.length < 0 {
		head.length = 0
	}
	return Request{Method: method, Target: target, Last: head.close, head: head}, nil
}

// SkipBody reads the request's body and throws it away.
func (r *Reader) SkipBody(request Request) (int64, error) { return r.skipBody(request.head) }

// head gives the next head; empty lines before a message are passed by (RFC 9112 section 2.2).
func (r *Reader) head() (head, error) {
	for {
		for r.end-r.at >= 2 && r.buffer[r.at] == '\r' && r.buffer[r.at+1] == '\n' {
			r.at += 2
		}
		if length := bytes.Index(r.buffer[r.at:r.end], []byte("\r\n\r\n")); length >= 0 {
			text := r.buffer[r.at : r.at+length]
			r.at += length + 4
			return parseHead(text)
		}
		if r.end-r.at > maxHeadBytes {
			return head{}, ErrTooLong
		}
		if err := r.fill(); err != nil {
			if err == io.EOF && r.end > r.at {
				err = io.ErrUnexpectedEOF
			}
			return head{}, err
		}
	}
}

// fill reads more into the buffer, behind what is there.
func (r *Reader) fill() error {
	if r.at == r.end {
		r.at, r.end = 0, 0
	} else if r.end == len(r.buffer) {
		r.end = copy(r.buffer, r.buffer[r.at:r.end])
		r.at = 0
	}
	if r.end == len(r.buffer) {
		return ErrTooLong
	}
	for {
		n, err := r.source.Read(r.buffer[r.end:])
		r.end += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *Reader) skipBody(head head) (int64, error) {
	if head.chunked {
		return r.skipChunks()
	}
	return head.length, r.skip(head.length)
}

func (r *Reader) skip(count int64) error {
	for {
		taken := min(count, int64(r.end-r.at))
		r.at += int(taken)
		if count -= taken; count == 0 {
			return nil
		}
		if err := r.fill(); err != nil {
			return cutOff(err)
		}
	}
}

// skipAll reads until the connection ends (RFC 9112 section 6.3, case 8).
func (r *Reader) skipAll() (count int64, err error) {
	for {
		count += int64(r.end - r.at)
		r.at = r.end
		if err = r.fill(); err == io.EOF {
			return count, nil
		} else if err != nil {
			return count, err
		}
	}
}

// skipChunks reads a chunked body with its trailers (RFC 9112 section 7.1).
func (r *Reader) skipChunks() (count int64, err error) {
	for {
		line, err := r.line()
		if err != nil {
			return count, err
		}
		size, err := chunkSize(line)
		if err != nil {
			return count, err
		}
		if size == 0 {
			return count, r.skipTrailers()
		}
		if err := r.skip(size); err != nil {
			return count, err
		}
		if line, err = r.line(); err != nil {
			return count, err
		}
		if len(line) != 0 {
			return count, fmt.Errorf("http1: a chunk of %d bytes is longer than that", size)
		}
		count += size
	}
}

func (r *Reader) skipTrailers() error {
	for total := 0; total <= maxHeadBytes; {
		line, err := r.line()
		if err != nil || len(line) == 0 {
			return err
		}
		total += len(line)
	}
	return ErrTooLong
}

// line gives the next line without its end.
func (r *Reader) line() ([]byte, error) {
	for {
		if length := bytes.IndexByte(r.buffer[r.at:r.end], '\n'); length >= 0 {
			line := r.buffer[r.at : r.at+length]
			r.at += length + 1
			if length == 0 || line[length-1] != '\r' {
				return nil, fmt.Errorf("http1: a line ends without CR: %.60q", line)
			}
			return line[:length-1], nil
		}
		if r.end-r.at > maxLineBytes {
			return nil, ErrTooLong
		}
		if err := r.fill(); err != nil {
			return nil, cutOff(err)
		}
	}
}

func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
