package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"sallyport/bench-peers/internal/job"
	"sallyport/bench-peers/internal/pace"
)

const (
	dialPatience = 10 * time.Second
	// Of a target that refuses connections, not one in a tight loop.
	redialPause = 10 * time.Millisecond
)

// world is what all parts of a run share.
type world struct {
	job   *job.Job
	clock pace.Clock
	tls   *tls.Config
	// ctx ends with the run: every connection is closed then.
	ctx context.Context
	end context.CancelCauseFunc
}

func newWorld(job *job.Job) (*world, error) {
	pem, err := os.ReadFile(job.CA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca: no certificate in %s", job.CA)
	}
	identity, err := tls.LoadX509KeyPair(job.Cert, job.Key)
	if err != nil {
		return nil, fmt.Errorf("cert, key: %w", err)
	}
	clock, err := pace.NewClock()
	if err != nil {
		return nil, err
	}
	protocol := "http/1.1"
	if job.IsHTTP2() {
		protocol = "h2"
	}
	ctx, end := context.WithCancelCause(context.Background())
	return &world{job: job, clock: clock, ctx: ctx, end: end, tls: &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{identity}, ServerName: job.ServerName, MinVersion: tls.VersionTLS13, NextProtos: []string{protocol},
		// The same key exchange with every target, whatever its TLS library is capable of.
		CurvePreferences: []tls.CurveID{tls.X25519},
		// One TLS record for each write, also at the begin of a connection.
		DynamicRecordSizingDisabled: true,
	}}, nil
}

// link is an open connection, which the end of the run closes.
type link struct {
	*tls.Conn
	forget func() bool
}

// Close ends the connection.
func (l *link) Close() error {
	l.forget()
	return l.Conn.Close()
}

// dial opens a connection and shakes hands; `shape` is done to the socket before.
func (w *world) dial(config *tls.Config, shape func(*net.TCPConn)) (*link, error) {
	dialer := net.Dialer{Timeout: dialPatience}
	socket, err := dialer.DialContext(w.ctx, "tcp", w.job.Address)
	if err != nil {
		return nil, w.why(err)
	}
	if shape != nil {
		shape(socket.(*net.TCPConn))
	}
	conn := tls.Client(socket, config)
	// A context for the handshake would cost a goroutine: the end of the run closes the socket, as it does later.
	forget := context.AfterFunc(w.ctx, func() { _ = socket.Close() })
	_ = socket.SetDeadline(time.Now().Add(dialPatience))
	err = conn.Handshake()
	if err == nil {
		// A server without ALPN speaks HTTP/1.1.
		if got := conn.ConnectionState().NegotiatedProtocol; got != config.NextProtos[0] && (got != "" || config.NextProtos[0] != "http/1.1") {
			err = fmt.Errorf("the server chose %q by ALPN instead of %q", got, config.NextProtos[0])
		}
	}
	if err != nil {
		forget()
		_ = socket.Close()
		return nil, w.why(err)
	}
	_ = socket.SetDeadline(time.Time{})
	return &link{conn, forget}, nil
}

// why says that the run has ended where that is what broke the connection.
func (w *world) why(err error) error {
	if cause := context.Cause(w.ctx); cause != nil {
		return cause
	}
	return err
}

// over says that the run has ended.
func (w *world) over() bool { return w.ctx.Err() != nil }

// pause lets time pass; less at the end of the run.
func (w *world) pause(length time.Duration) {
	select {
	case <-w.ctx.Done():
	case <-time.After(length):
	}
}

var errDone = errors.New("the run has ended")
