package main

import (
	"crypto/tls"
	"fmt"

	"sallyport/bench-peers/internal/http1"
)

// handshakeLane opens a new connection for each request.
type handshakeLane struct {
	world    *world
	requests [][]byte
	reader   *http1.Reader
	config   *tls.Config
	// primed says that there is a ticket to resume with.
	primed bool
}

func handshakeLanes(world *world) []lane {
	requests := written(world.job)
	lanes := make([]lane, world.job.Connections)
	for index := range lanes {
		config := world.tls.Clone()
		if world.job.Resume {
			config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		}
		lanes[index] = &handshakeLane{world: world, requests: requests, reader: http1.NewReader(nil), config: config, primed: !world.job.Resume}
	}
	return lanes
}

// ready fetches the first ticket, uncounted.
func (l *handshakeLane) ready() error {
	if l.primed {
		return nil
	}
	if _, _, err := l.once(0); err != nil {
		return err
	}
	l.primed = true
	return nil
}

func (l *handshakeLane) do(request int) (string, error) {
	answer, resumed, err := l.once(request)
	if err != nil {
		return "", err
	}
	if problem := wrong(&l.world.job.Requests[request], answer.Status); problem != "" {
		return problem, nil
	}
	if resumed != l.world.job.Resume {
		return fmt.Sprintf("a connection was resumed: %v, wanted: %v", resumed, l.world.job.Resume), nil
	}
	return "", nil
}

// once opens a connection, asks once and closes it. Tickets come behind the handshake, so they are read with the answer.
func (l *handshakeLane) once(request int) (answer http1.Answer, resumed bool, err error) {
	conn, err := l.world.dial(l.config, nil)
	if err != nil {
		return answer, false, err
	}
	defer conn.Close()
	l.reader.Reset(conn)
	answer, err = exchange(conn, l.reader, l.requests[request], l.world.job.Requests[request].Method)
	return answer, conn.ConnectionState().DidResume, err
}
