package main

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestAClosedLoopCountsAnswersInsideTheWindow(t *testing.T) {
	w := newWindow(false)
	w.answered(0, 5, "")
	w.start(10)
	w.answered(5, 12, "")
	w.answered(12, 15, "wrong")
	w.broke(15, 16, errors.New("first"))
	w.stop(20)
	w.answered(15, 25, "")
	w.broke(15, 26, errors.New("second"))
	if w.requests != 2 || w.inside != 2 || w.unexpected != 1 || w.failed != 2 || *w.firstUnexpected != "wrong" || *w.firstFailure != "first" {
		t.Errorf("%+v", w)
	}
	if w.latency.Total() != 2 || w.latency.Max() != 7 {
		t.Errorf("%d, at most %v", w.latency.Total(), w.latency.Max())
	}
}

func TestAnOpenLoopCountsIntendedStartsInsideTheWindowHoweverLateTheAnswer(t *testing.T) {
	w := newWindow(true)
	w.slept(5, 1)
	w.start(10)
	w.answered(5, 12, "wrong before")
	w.answered(12, 15, "")
	w.slept(12, 2)
	w.broke(9, 16, errors.New("before"))
	w.stop(20)
	w.answered(19, 500, "")
	w.answered(20, 30, "wrong behind")
	w.broke(18, 600, errors.New("never"))
	w.broke(21, 600, errors.New("behind"))
	if w.requests != 2 || w.inside != 2 || w.unexpected != 0 || w.failed != 1 || *w.firstFailure != "never" {
		t.Errorf("%+v", w)
	}
	if w.latency.Max() != 481 || w.late.Total() != 1 || w.late.Max() != 2 {
		t.Errorf("latency %v, late %d times, %v", w.latency.Max(), w.late.Total(), w.late.Max())
	}
}

func TestAQueueKeepsOrderAndNeverHoldsUpWhoFillsIt(t *testing.T) {
	q := newQueue()
	var taken []time.Duration
	for at := range time.Duration(1_000) {
		q.put(at)
		if at%3 == 0 {
			next, _ := q.take()
			taken = append(taken, next)
		}
	}
	q.close()
	for {
		next, ok := q.take()
		if !ok {
			break
		}
		taken = append(taken, next)
	}
	if len(taken) != 1_000 || !slices.IsSorted(taken) {
		t.Errorf("%d taken", len(taken))
	}
}

func TestATakerIsWokenByTheNextAndByTheEnd(t *testing.T) {
	q := newQueue()
	got := make(chan time.Duration)
	go func() {
		defer close(got)
		for {
			next, ok := q.take()
			if !ok {
				return
			}
			got <- next
		}
	}()
	for at := range time.Duration(10) {
		q.put(at)
		if next := <-got; next != at {
			t.Fatalf("%d instead of %d", next, at)
		}
	}
	q.close()
	if _, more := <-got; more {
		t.Fatal("more than was put")
	}
}
