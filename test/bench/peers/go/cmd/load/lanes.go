package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"sallyport/bench-peers/internal/job"
	"sallyport/bench-peers/internal/pace"
)

// lane makes one request at a time: a connection of HTTP/1.1, a place for a stream on one of HTTP/2.
type lane interface {
	// ready sees to it that there is a connection.
	ready() error
	// do makes a request of the job and says what is wrong with its answer, or nothing.
	do(request int) (problem string, err error)
}

// traffic is the counted load.
type traffic struct {
	world  *world
	window *window
	lanes  []lane
	turn   []int
	next   atomic.Uint64
}

// newTraffic opens all connections.
func newTraffic(world *world, window *window) (*traffic, error) {
	lanes, err := openLanes(world)
	if err != nil {
		return nil, err
	}
	return &traffic{world: world, window: window, lanes: lanes, turn: job.Turn(world.job.Requests)}, nil
}

func openLanes(world *world) ([]lane, error) {
	var lanes []lane
	switch world.job.Protocol {
	case job.HTTP1:
		lanes = http1Lanes(world)
	case job.Handshake:
		lanes = handshakeLanes(world)
	default:
		lanes = http2Lanes(world)
	}
	for _, lane := range lanes {
		if err := lane.ready(); err != nil {
			return nil, fmt.Errorf("connecting to %s: %w", world.job.Address, err)
		}
	}
	return lanes, nil
}

// run makes requests until the window is over and everything was answered; `done` is called once for each lane.
func (t *traffic) run(done func()) {
	if !t.world.job.Loop.Open() {
		for _, lane := range t.lanes {
			go func() {
				defer done()
				t.closed(lane)
			}()
		}
		return
	}
	queues := make([]*queue, len(t.lanes))
	for index, lane := range t.lanes {
		queues[index] = newQueue()
		go func() {
			defer done()
			t.opened(lane, queues[index])
		}()
	}
	go t.dispatch(queues)
}

// dispatch hands each intended start to the next lane, whether it is busy or not.
func (t *traffic) dispatch(queues []*queue) {
	turn := 0
	more := func(time.Duration) bool { return !t.window.over() }
	pace.Run(t.world.clock, t.world.job.Loop.PerSecond, t.world.clock.Now(), more, func(intended time.Duration) {
		queues[turn].put(intended)
		turn = (turn + 1) % len(queues)
	})
	for _, queue := range queues {
		queue.close()
	}
}

func (t *traffic) closed(lane lane) {
	for !t.window.over() {
		if err := lane.ready(); err != nil {
			now := t.world.clock.Now()
			t.window.broke(now, now, err)
			t.world.pause(redialPause)
			continue
		}
		t.make(lane, t.world.clock.Now())
	}
}

func (t *traffic) opened(lane lane, queue *queue) {
	for {
		free := t.world.clock.Now()
		intended, ok := queue.take()
		if !ok {
			return
		}
		if err := lane.ready(); err != nil {
			t.window.broke(intended, t.world.clock.Now(), err)
			t.world.pause(redialPause)
			continue
		}
		if free <= intended {
			t.window.slept(intended, t.world.clock.Now()-intended)
		}
		t.make(lane, intended)
	}
}

func (t *traffic) make(lane lane, intended time.Duration) {
	request := t.turn[(t.next.Add(1)-1)%uint64(len(t.turn))]
	problem, err := lane.do(request)
	now := t.world.clock.Now()
	if err != nil {
		t.window.broke(intended, now, t.world.why(err))
		return
	}
	t.window.answered(intended, now, problem)
}

// wrong says how a status differs from what was expected; nothing where it does not.
func wrong(request *job.Request, status int) string {
	if status == request.ExpectStatus {
		return ""
	}
	return fmt.Sprintf("%s %s: status %d instead of %d", request.Method, request.Path, status, request.ExpectStatus)
}
