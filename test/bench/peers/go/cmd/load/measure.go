package main

import (
	"fmt"
	"sync"
	"time"

	"sallyport/bench-peers/internal/histogram"
	"sallyport/bench-peers/internal/usage"
)

// grace is how long late answers are waited for behind the window.
const grace = 10 * time.Second

type result struct {
	Requests            uint64    `json:"requests"`
	Unexpected          uint64    `json:"unexpected"`
	FirstUnexpected     *string   `json:"firstUnexpected"`
	Failed              uint64    `json:"failed"`
	FirstFailure        *string   `json:"firstFailure"`
	Seconds             float64   `json:"seconds"`
	PerSecond           float64   `json:"perSecond"`
	CPUMicros           float64   `json:"cpuMicros"`
	CPUMicrosPerRequest float64   `json:"cpuMicrosPerRequest"`
	LatencyMicros       latencies `json:"latencyMicros"`
	LateMicros          *lateness `json:"lateMicros"`
	OwnMicrosPerRequest float64   `json:"ownMicrosPerRequest"`
	OtherLoad           float64   `json:"otherLoad"`
	IdleClosed          int64     `json:"idleClosed"`
	SlowReopened        int64     `json:"slowReopened"`
}

type latencies struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

type lateness struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// reading is what everybody has used at one moment.
type reading struct {
	at            time.Duration
	pids, helpers []usage.Process
	own           time.Duration
	machine       usage.Machine
}

func measure(w *world) (*result, error) {
	crowd := &crowd{world: w}
	if err := crowd.gather(); err != nil {
		return nil, err
	}
	window := newWindow(w.job.Loop.Open())
	traffic, err := newTraffic(w, window)
	if err != nil {
		return nil, err
	}
	var running sync.WaitGroup
	running.Add(len(traffic.lanes))
	traffic.run(running.Done)
	time.Sleep(seconds(w.job.WarmupSeconds))
	before, err := w.read()
	if err != nil {
		return nil, err
	}
	window.start(before.at)
	time.Sleep(seconds(w.job.Seconds))
	after, err := w.read()
	if err != nil {
		return nil, err
	}
	window.stop(after.at)
	w.finish(&running)
	return summary(window, crowd, before, after), nil
}

// finish waits for late answers, then breaks off what is left.
func (w *world) finish(running *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(grace):
		w.end(fmt.Errorf("no answer %v after the window", grace))
		<-ended
	}
	w.end(errDone)
}

func (w *world) read() (now reading, err error) {
	if now.pids, err = processes(w.job.Pids); err != nil {
		return now, fmt.Errorf("pids: %w", err)
	}
	if now.helpers, err = processes(w.job.Helpers); err != nil {
		return now, fmt.Errorf("helpers: %w", err)
	}
	now.own, now.machine, now.at = usage.Own(), usage.OfMachine(), w.clock.Now()
	return now, nil
}

func processes(pids []int) ([]usage.Process, error) {
	all := make([]usage.Process, len(pids))
	for index, pid := range pids {
		one, err := usage.Of(pid)
		if err != nil {
			return nil, err
		}
		all[index] = one
	}
	return all, nil
}

func summary(w *window, crowd *crowd, before, after reading) *result {
	w.mu.Lock()
	defer w.mu.Unlock()
	used, helped, own := used(before.pids, after.pids), used(before.helpers, after.helpers), after.own-before.own
	length := (after.at - before.at).Seconds()
	each := func(total time.Duration) float64 { return micros(total) / float64(max(w.inside, 1)) }
	told := &result{
		Requests: w.requests, Unexpected: w.unexpected, FirstUnexpected: w.firstUnexpected, Failed: w.failed, FirstFailure: w.firstFailure,
		Seconds: length, PerSecond: float64(w.inside) / length, CPUMicros: micros(used), CPUMicrosPerRequest: each(used),
		LatencyMicros: quantiles(&w.latency), OwnMicrosPerRequest: each(own), OtherLoad: after.machine.OthersSince(before.machine, used+helped+own),
		IdleClosed: crowd.idleClosed.Load(), SlowReopened: crowd.slowReopened.Load(),
	}
	if w.open {
		told.LateMicros = &lateness{micros(w.late.Quantile(0.5)), micros(w.late.Quantile(0.99))}
	}
	return told
}

func used(before, after []usage.Process) (total time.Duration) {
	for index := range after {
		total += after[index].Since(before[index])
	}
	return total
}

func quantiles(h *histogram.Histogram) latencies {
	at := func(share float64) float64 { return micros(h.Quantile(share)) }
	return latencies{at(0.5), at(0.9), at(0.99), at(0.999), micros(h.Max())}
}

func micros(length time.Duration) float64 { return float64(length) / float64(time.Microsecond) }

func seconds(length float64) time.Duration { return time.Duration(length * float64(time.Second)) }
