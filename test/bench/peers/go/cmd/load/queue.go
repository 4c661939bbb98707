package main

import (
	"sync"
	"time"
)

// queue holds what one lane has still to do, however much that is: the loop that fills it never waits.
type queue struct {
	mu     sync.Mutex
	due    []time.Duration
	closed bool
	filled chan struct{}
}

func newQueue() *queue { return &queue{filled: make(chan struct{}, 1)} }

func (q *queue) put(intended time.Duration) {
	q.mu.Lock()
	q.due = append(q.due, intended)
	q.mu.Unlock()
	q.signal()
}

// close says that nothing more comes.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

// take waits for the next; false when there is none left and none to come.
func (q *queue) take() (time.Duration, bool) {
	for {
		q.mu.Lock()
		if len(q.due) > 0 {
			intended := q.due[0]
			q.due = q.due[1:]
			q.mu.Unlock()
			return intended, true
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return 0, false
		}
		<-q.filled
	}
}
