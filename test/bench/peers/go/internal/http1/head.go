package http1

import (
	"bytes"
	"errors"
	"fmt"
)

// maxBodyDigits keeps Content-Length within an int64.
const (
	maxBodyDigits  = 15
	maxChunkDigits = 12
)

// head is what says where a message ends.
type head struct {
	line []byte
	// length is -1 where it is not told.
	length  int64
	chunked bool
	close   bool
}

// parseHead reads the start line and the fields that frame a message. Whatever two readers could take differently (RFC 9112 sections 5 and 6) is refused.
func parseHead(text []byte) (head, error) {
	line, rest, _ := bytes.Cut(text, []byte("\r\n"))
	parsed := head{line: line, length: -1}
	if bytes.ContainsAny(line, "\r\n\x00") {
		return head{}, fmt.Errorf("http1: control characters in %.60q", line)
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		if err := parsed.field(line); err != nil {
			return head{}, err
		}
	}
	if parsed.chunked && parsed.length >= 0 {
		return head{}, errors.New("http1: both Content-Length and Transfer-Encoding")
	}
	return parsed, nil
}

func (h *head) field(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || line[0] == ' ' || line[0] == '\t' || line[colon-1] == ' ' || line[colon-1] == '\t' || bytes.ContainsAny(line, "\r\n\x00") {
		return fmt.Errorf("http1: not a header field: %.60q", line)
	}
	switch name := line[:colon]; {
	case len(name) == 14 && bytes.EqualFold(name, []byte("content-length")):
		return h.contentLength(bytes.Trim(line[colon+1:], " \t"))
	case len(name) == 17 && bytes.EqualFold(name, []byte("transfer-encoding")):
		value := bytes.Trim(line[colon+1:], " \t")
		if h.chunked || !bytes.EqualFold(value, []byte("chunked")) {
			return fmt.Errorf("http1: Transfer-Encoding is not chunked alone: %.60q", value)
		}
		h.chunked = true
	case len(name) == 10 && bytes.EqualFold(name, []byte("connection")):
		for option := range bytes.SplitSeq(line[colon+1:], []byte(",")) {
			h.close = h.close || bytes.EqualFold(bytes.Trim(option, " \t"), []byte("close"))
		}
	}
	return nil
}

func (h *head) contentLength(value []byte) error {
	var length int64
	for _, digit := range value {
		if digit < '0' || digit > '9' || len(value) > maxBodyDigits {
			return fmt.Errorf("http1: not a Content-Length: %.60q", value)
		}
		length = length*10 + int64(digit-'0')
	}
	if len(value) == 0 || (h.length >= 0 && h.length != length) {
		return fmt.Errorf("http1: not one Content-Length: %.60q", value)
	}
	h.length = length
	return nil
}

// statusOf reads `HTTP/1.1 NNN reason` (RFC 9112 section 4).
func statusOf(line []byte) (int, error) {
	const version = "HTTP/1.1 "
	if len(line) < len(version)+3 || string(line[:len(version)]) != version || (len(line) > len(version)+3 && line[len(version)+3] != ' ') {
		return 0, fmt.Errorf("http1: not a status line: %.60q", line)
	}
	status := 0
	for _, digit := range line[len(version) : len(version)+3] {
		if digit < '0' || digit > '9' {
			return 0, fmt.Errorf("http1: not a status line: %.60q", line)
		}
		status = status*10 + int(digit-'0')
	}
	if status < 100 || status > 599 {
		return 0, fmt.Errorf("http1: no such status: %d", status)
	}
	return status, nil
}

// chunkSize reads the size of a chunk, extensions passed by.
func chunkSize(line []byte) (int64, error) {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	digits = bytes.TrimRight(digits, " \t")
	if len(digits) == 0 || len(digits) > maxChunkDigits {
		return 0, fmt.Errorf("http1: not a chunk size: %.60q", line)
	}
	var size int64
	for _, digit := range digits {
		value, ok := hexDigit(digit)
		if !ok {
			return 0, fmt.Errorf("http1: not a chunk size: %.60q", line)
		}
		size = size<<4 | value
	}
	return size, nil
}

func hexDigit(digit byte) (int64, bool) {
	switch {
	case digit >= '0' && digit <= '9':
		return int64(digit - '0'), true
	case digit >= 'a' && digit <= 'f':
		return int64(digit-'a') + 10, true
	case digit >= 'A' && digit <= 'F':
		return int64(digit-'A') + 10, true
	}
	return 0, false
}
