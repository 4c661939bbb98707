package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/bench-peers/internal/job"
)

var (
	closedLoop = job.Loop{Kind: "closed"}
	protocols  = []string{job.HTTP1, job.HTTP2, job.Handshake}
)

// clean says of a result that everything was answered as expected.
func clean(t *testing.T, name string, told *result) {
	t.Helper()
	if told.Requests == 0 || told.Unexpected+told.Failed != 0 {
		t.Errorf("%s: %d requests, %d unexpected (%v), %d failed (%v)", name, told.Requests, told.Unexpected, text(told.FirstUnexpected), told.Failed, text(told.FirstFailure))
	}
}

func text(place *string) string {
	if place == nil {
		return ""
	}
	return *place
}

func echo(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/denied":
		w.WriteHeader(403)
	case "/grpc-denied":
		w.Header().Set("Grpc-Status", "7")
	case "/grpc":
		w.Header().Set("Trailer", "Grpc-Status")
		buffer := make([]byte, 1_000)
		for {
			n, err := r.Body.Read(buffer)
			_, _ = w.Write(buffer[:n])
			_ = http.NewResponseController(w).Flush()
			if err != nil {
				break
			}
		}
		w.Header().Set("Grpc-Status", "0")
	default:
		_, _ = io.Copy(w, r.Body)
		_, _ = w.Write([]byte("hello"))
	}
}

func TestEveryProtocolIsAnsweredInBothLoops(t *testing.T) {
	target := newTarget(t, echo, nil)
	for _, loop := range []job.Loop{closedLoop, {Kind: "open", PerSecond: 200}} {
		for protocol, path := range map[string]string{job.HTTP1: "/", job.HTTP2: "/", job.Handshake: "/", job.Grpc: "/grpc", job.GrpcStream: "/grpc"} {
			one := job.Job{Protocol: protocol, Loop: loop, Connections: 2, Requests: asking(path), Pids: []int{os.Getpid()}}
			if one.IsHTTP2() {
				one.Streams = 3
			}
			told := target.load(t, one)
			clean(t, protocol+" "+loop.Kind, told)
			if told.CPUMicros <= 0 || told.LatencyMicros.P50 <= 0 || told.LatencyMicros.P50 > told.LatencyMicros.Max || (told.LateMicros == nil) == loop.Open() {
				t.Errorf("%s %s: %+v", protocol, loop.Kind, told)
			}
		}
	}
}

func TestAnotherStatusThanExpectedIsCountedAndNamed(t *testing.T) {
	target := newTarget(t, echo, nil)
	for _, protocol := range protocols {
		told := target.load(t, job.Job{Protocol: protocol, Loop: closedLoop, Requests: asking("/denied")})
		if told.Unexpected != told.Requests || told.Requests == 0 || text(told.FirstUnexpected) != "GET /denied: status 403 instead of 200" {
			t.Errorf("%s: %+v", protocol, told)
		}
		expected := asking("/denied")
		expected[0].ExpectStatus = 403
		clean(t, protocol, target.load(t, job.Job{Protocol: protocol, Loop: closedLoop, Requests: expected}))
	}
	for _, protocol := range []string{job.Grpc, job.GrpcStream} {
		told := target.load(t, job.Job{Protocol: protocol, Loop: closedLoop, Requests: asking("/grpc-denied")})
		if told.Unexpected != told.Requests || told.Requests == 0 || text(told.FirstUnexpected) != "/grpc-denied: grpc-status 7 instead of 0" {
			t.Errorf("%s: %+v, %s", protocol, told, text(told.FirstUnexpected))
		}
		expected := asking("/grpc-denied")
		expected[0].ExpectGrpcStatus = 7
		clean(t, protocol, target.load(t, job.Job{Protocol: protocol, Loop: closedLoop, Requests: expected}))
	}
}

func TestRequestsGoOutByWeight(t *testing.T) {
	var often, seldom atomic.Int64
	target := newTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/often" {
			often.Add(1)
		} else {
			seldom.Add(1)
		}
	}, nil)
	requests := asking("/often", "/seldom")
	requests[0].Weight = 9
	clean(t, "weights", target.load(t, job.Job{Protocol: job.HTTP1, Loop: closedLoop, Requests: requests}))
	if few := seldom.Load(); few == 0 || often.Load() < 9*(few-1) || often.Load() > 9*(few+1) {
		t.Errorf("%d often, %d seldom", often.Load(), few)
	}
}

func TestBrokenConnectionsFailAndAreOpenedAgain(t *testing.T) {
	for _, protocol := range protocols {
		var count atomic.Int64
		target := newTarget(t, func(w http.ResponseWriter, r *http.Request) {
			if count.Add(1)%5 == 0 {
				panic(http.ErrAbortHandler)
			}
			echo(w, r)
		}, nil)
		told := target.load(t, job.Job{Protocol: protocol, Loop: closedLoop, Requests: asking("/")})
		if told.Failed == 0 || told.Requests < 2*told.Failed || told.Unexpected != 0 || told.FirstFailure == nil {
			t.Errorf("%s: %+v", protocol, told)
		}
	}
}

func TestAConnectionThatTheServerEndsInOrderIsNoFailure(t *testing.T) {
	var count atomic.Int64
	target := newTarget(t, func(w http.ResponseWriter, r *http.Request) {
		if count.Add(1)%5 == 0 {
			w.Header().Set("Connection", "close")
		}
		echo(w, r)
	}, nil)
	for _, protocol := range []string{job.HTTP1, job.HTTP2} {
		clean(t, protocol, target.load(t, job.Job{Protocol: protocol, Loop: closedLoop, Connections: 3, Requests: asking("/")}))
	}
}

func TestAnOpenLoopChargesWhatWaitsForItsConnection(t *testing.T) {
	const stall = 150 * time.Millisecond
	var count atomic.Int64
	target := newTarget(t, func(http.ResponseWriter, *http.Request) {
		if count.Add(1) == 20 {
			time.Sleep(stall)
		}
	}, nil)
	told := target.load(t, job.Job{Protocol: job.HTTP1, Loop: job.Loop{Kind: "open", PerSecond: 200}, Seconds: 0.4, Requests: asking("/")})
	clean(t, "open", told)
	// One request in 80 stalled; but the thirty that were due meanwhile had to wait too, half of them for half of it.
	if told.LatencyMicros.Max < 150_000 || told.LatencyMicros.P90 < 50_000 {
		t.Errorf("%+v", told.LatencyMicros)
	}
}

func TestResumptionIsProvenNotBelieved(t *testing.T) {
	withTickets := newTarget(t, echo, nil)
	clean(t, "resumed", withTickets.load(t, job.Job{Protocol: job.Handshake, Resume: true, Loop: closedLoop, Connections: 2, Requests: asking("/")}))
	without := newTarget(t, echo, func(config *tls.Config) { config.SessionTicketsDisabled = true })
	told := without.load(t, job.Job{Protocol: job.Handshake, Resume: true, Loop: closedLoop, Requests: asking("/")})
	if told.Requests == 0 || told.Unexpected != told.Requests || text(told.FirstUnexpected) != "a connection was resumed: false, wanted: true" {
		t.Errorf("%+v", told)
	}
}

func TestACrowdIsThereAndNotCounted(t *testing.T) {
	var slow, idle atomic.Int64
	target := newTarget(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			slow.Add(1)
			_, _ = w.Write(make([]byte, 1_000_000))
		case "/idle":
			idle.Add(1)
		}
	}, nil)
	for _, protocol := range []string{job.HTTP1, job.HTTP2} {
		slow.Store(0)
		idle.Store(0)
		told := target.load(t, job.Job{
			Protocol: protocol, Loop: job.Loop{Kind: "open", PerSecond: 50}, IdleConnections: 20, SlowReaders: 3, SlowPath: "/slow", Requests: asking("/idle"),
		})
		clean(t, protocol, told)
		// At 64 KB a second nobody has the time to ask twice.
		if slow.Load() > 3 || idle.Load() < 20+int64(told.Requests) || told.IdleClosed != 0 || told.SlowReopened != 0 || told.Requests > 30 {
			t.Errorf("%s: %d slow, %d idle, %+v", protocol, slow.Load(), idle.Load(), told)
		}
	}
}

func TestALoadThatCannotBeginSaysWhy(t *testing.T) {
	target := newTarget(t, echo, nil)
	one := job.Job{Protocol: job.HTTP1, Loop: closedLoop, Requests: asking("/"), Pids: []int{1 << 30}}
	if _, err := target.try(one); err == nil || !strings.Contains(err.Error(), "pids: process") {
		t.Error(err)
	}
	target.server.Close()
	one.Pids = nil
	if _, err := target.try(one); err == nil || !strings.Contains(err.Error(), "connecting to 127.0.0.1:") {
		t.Error(err)
	}
	other := newTarget(t, echo, func(config *tls.Config) { config.NextProtos = []string{"http/1.1"} })
	other.server.Close()
	if _, err := newWorld(&job.Job{CA: "/nowhere"}); err == nil || !strings.Contains(err.Error(), "ca: ") {
		t.Error(err)
	}
}
