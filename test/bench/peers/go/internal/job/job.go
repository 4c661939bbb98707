// Package job reads what the load is to do, and says what is wrong with it.
package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

// Protocols of the load.
const (
	HTTP1      = "http1"
	HTTP2      = "http2"
	Grpc       = "grpc"
	GrpcStream = "grpc-stream"
	Handshake  = "handshake"
)

const (
	maxConnections   = 20_000
	maxStreams       = 1_000
	maxWeight        = 1_000
	maxHeaderBytes   = 8_000
	maxPerSecond     = 1_000_000
	maxSeconds       = 3_600
	maxMessages      = 1 << 20
	defaultMessages  = 100
	grpcMessageBytes = 51
)

// Job is the whole of it; `load-job.ts` says what each field means.
type Job struct {
	Address           string    `json:"address"`
	ServerName        string    `json:"serverName"`
	CA                string    `json:"ca"`
	Cert              string    `json:"cert"`
	Key               string    `json:"key"`
	Protocol          string    `json:"protocol"`
	Connections       int       `json:"connections"`
	Streams           int       `json:"streams"`
	Requests          []Request `json:"requests"`
	MessagesPerStream int       `json:"messagesPerStream"`
	Loop              Loop      `json:"loop"`
	Resume            bool      `json:"resume"`
	IdleConnections   int       `json:"idleConnections"`
	SlowReaders       int       `json:"slowReaders"`
	SlowPath          string    `json:"slowPath"`
	WarmupSeconds     float64   `json:"warmupSeconds"`
	Seconds           float64   `json:"seconds"`
	Pids              []int     `json:"pids"`
	Helpers           []int     `json:"helpers"`
}

// Request is one of those that go out in turn.
type Request struct {
	Method           string            `json:"method"`
	Path             string            `json:"path"`
	Headers          map[string]string `json:"headers"`
	BodyFile         *string           `json:"bodyFile"`
	ExpectStatus     int               `json:"expectStatus"`
	ExpectGrpcStatus int               `json:"expectGrpcStatus"`
	Weight           int               `json:"weight"`
	// Body is the content of BodyFile.
	Body []byte `json:"-"`
}

// Loop says when requests go out.
type Loop struct {
	Kind      string  `json:"kind"`
	PerSecond float64 `json:"perSecond"`
}

// Open says that they go out at their time, answered or not.
func (l Loop) Open() bool { return l.Kind == "open" }

// IsHTTP2 says whether a job's connections speak HTTP/2.
func (j *Job) IsHTTP2() bool {
	return j.Protocol == HTTP2 || j.IsGrpc()
}

// IsGrpc says whether a job's answers have a gRPC status.
func (j *Job) IsGrpc() bool { return j.Protocol == Grpc || j.Protocol == GrpcStream }

// Read takes one job, fills in what may be left out, and reports all mistakes together.
func Read(source io.Reader) (*Job, error) {
	decoder := json.NewDecoder(source)
	decoder.DisallowUnknownFields()
	job := &Job{}
	if err := decoder.Decode(job); err != nil {
		return nil, fmt.Errorf("job: %w", err)
	}
	if decoder.More() {
		return nil, errors.New("job: more than one value")
	}
	job.fillIn()
	if err := errors.Join(job.mistakes()...); err != nil {
		return nil, err
	}
	return job, job.readBodies()
}

func (j *Job) fillIn() {
	orDefault(&j.Streams, 1)
	orDefault(&j.MessagesPerStream, defaultMessages)
	for index := range j.Requests {
		request := &j.Requests[index]
		orDefault(&request.ExpectStatus, http.StatusOK)
		orDefault(&request.Weight, 1)
		if j.IsGrpc() && request.Method == "" {
			request.Method = http.MethodPost
		}
	}
}

func orDefault(value *int, otherwise int) {
	if *value == 0 {
		*value = otherwise
	}
}

func (j *Job) mistakes() (found []error) {
	say := func(wrong bool, path, wanted string, value any) {
		if wrong {
			found = append(found, fmt.Errorf("job: %s must be %s, not %v", path, wanted, value))
		}
	}
	between := func(path string, value, least, most float64) {
		say(!(value >= least && value <= most), path, fmt.Sprintf("%v to %v", least, most), value)
	}
	host, _, err := net.SplitHostPort(j.Address)
	say(err != nil || net.ParseIP(host) == nil, "address", "IP:port", j.Address)
	say(j.ServerName == "", "serverName", "a name", `""`)
	switch j.Protocol {
	case HTTP1, HTTP2, Grpc, GrpcStream, Handshake:
	default:
		say(true, "protocol", "http1, http2, grpc, grpc-stream or handshake", j.Protocol)
	}
	between("connections", float64(j.Connections), 1, maxConnections)
	between("streams", float64(j.Streams), 1, maxStreams)
	say(j.Streams > 1 && !j.IsHTTP2(), "streams", "1 without HTTP/2", j.Streams)
	between("messagesPerStream", float64(j.MessagesPerStream), 1, maxMessages)
	between("idleConnections", float64(j.IdleConnections), 0, maxConnections)
	between("slowReaders", float64(j.SlowReaders), 0, maxConnections)
	say(j.SlowReaders > 0 && !strings.HasPrefix(j.SlowPath, "/"), "slowPath", "a path", j.SlowPath)
	between("warmupSeconds", j.WarmupSeconds, 0, maxSeconds)
	between("seconds", j.Seconds, 0.01, maxSeconds)
	say(j.Resume && j.Protocol != Handshake, "resume", "false but for handshake", j.Resume)
	switch j.Loop.Kind {
	case "closed":
		say(j.Loop.PerSecond != 0, "loop.perSecond", "absent in a closed loop", j.Loop.PerSecond)
	case "open":
		between("loop.perSecond", j.Loop.PerSecond, 0.1, maxPerSecond)
	default:
		say(true, "loop.kind", "closed or open", j.Loop.Kind)
	}
	say(len(j.Requests) == 0, "requests", "one at least", "empty")
	for index, request := range j.Requests {
		found = append(found, request.mistakes(index)...)
	}
	return found
}

func (r Request) mistakes(index int) (found []error) {
	say := func(wrong bool, path, wanted string, value any) {
		if wrong {
			found = append(found, fmt.Errorf("job: requests[%d].%s must be %s, not %v", index, path, wanted, value))
		}
	}
	say(!isToken(r.Method), "method", "a method", fmt.Sprintf("%q", r.Method))
	say(!strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, " \r\n\x00"), "path", "a path without spaces", fmt.Sprintf("%q", r.Path))
	say(r.Weight < 1 || r.Weight > maxWeight, "weight", fmt.Sprintf("1 to %d", maxWeight), r.Weight)
	say(r.ExpectStatus < 200 || r.ExpectStatus > 599, "expectStatus", "200 to 599", r.ExpectStatus)
	say(r.ExpectGrpcStatus < 0 || r.ExpectGrpcStatus > 16, "expectGrpcStatus", "0 to 16", r.ExpectGrpcStatus)
	size := len(r.Path)
	for name, value := range r.Headers {
		size += len(name) + len(value)
		say(!isToken(name) || strings.ContainsAny(value, "\r\n\x00"), "headers", "names and values that HTTP allows", fmt.Sprintf("%q: %q", name, value))
		switch strings.ToLower(name) {
		case "host", "content-length", "transfer-encoding", "connection":
			say(true, "headers", "without what the load says itself", name)
		}
	}
	say(size > maxHeaderBytes, "headers", fmt.Sprintf("at most %d bytes with the path", maxHeaderBytes), size)
	return found
}

// isToken says whether a text is a method or a field name (RFC 9110 section 5.6.2).
func isToken(text string) bool {
	for _, char := range text {
		if char <= ' ' || char >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", char) {
			return false
		}
	}
	return text != ""
}

func (j *Job) readBodies() (err error) {
	for index := range j.Requests {
		request := &j.Requests[index]
		if request.BodyFile == nil {
			if j.IsGrpc() {
				request.Body = []byte(strings.Repeat("x", grpcMessageBytes))
			}
			continue
		}
		if request.Body, err = os.ReadFile(*request.BodyFile); err != nil {
			return fmt.Errorf("job: requests[%d].bodyFile: %w", index, err)
		}
	}
	return nil
}
