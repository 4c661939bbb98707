package main

import (
	"math"
	"sync"
	"time"

	"sallyport/bench-peers/internal/histogram"
)

const forever = time.Duration(math.MaxInt64)

// window gathers what happens between two moments; both are set when they come. Safe for use by several goroutines.
type window struct {
	mu         sync.Mutex
	open       bool
	begin, end time.Duration

	requests, inside, unexpected, failed uint64
	firstUnexpected, firstFailure        *string
	latency, late                        histogram.Histogram
}

func newWindow(open bool) *window { return &window{open: open, begin: forever, end: forever} }

func (w *window) start(at time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begin = at
}

func (w *window) stop(at time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end = at
}

// over says that no more requests belong to it.
func (w *window) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end != forever
}

// takes says of a request whether it counts: in an open loop by its intended start, in a closed one by its answer.
func (w *window) takes(intended, answered time.Duration) bool {
	if w.open {
		return w.holds(intended)
	}
	return w.holds(answered)
}

func (w *window) holds(at time.Duration) bool { return at >= w.begin && at < w.end }

// answered counts an answer; `problem` is what is wrong with it, or empty.
func (w *window) answered(intended, at time.Duration, problem string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.holds(at) {
		w.inside++
	}
	if !w.takes(intended, at) {
		return
	}
	w.requests++
	w.latency.Add(at - intended)
	if problem != "" {
		w.unexpected++
		keepFirst(&w.firstUnexpected, problem)
	}
}

// broke counts a request that got no answer. In a closed loop those that never end count as well, since nothing was answered inside the window.
func (w *window) broke(intended, at time.Duration, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at < w.begin || (w.open && !w.holds(intended)) {
		return
	}
	w.failed++
	keepFirst(&w.firstFailure, err.Error())
}

// slept counts how late the load itself was.
func (w *window) slept(intended, late time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.holds(intended) {
		w.late.Add(late)
	}
}

func keepFirst(place **string, text string) {
	if *place == nil {
		*place = &text
	}
}
