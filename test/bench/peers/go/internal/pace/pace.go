// Package pace says when the requests of an open loop are due: evenly spaced, whatever became of those before.
package pace

import "time"

// Clock is the time since a fixed begin, and a way to wait for it.
type Clock interface {
	Now() time.Duration
	// SleepUntil returns at that time or later; earlier only when it cannot do better.
	SleepUntil(at time.Duration)
}

// Run calls start with each intended time, at that time or as soon after it as it is awake: first at `from`, then every 1/perSecond, for as long as
// `more` says of an intended time that there is one more. Times are counted from `from`, not from the time before, so that nothing adds up.
func Run(clock Clock, perSecond float64, from time.Duration, more func(time.Duration) bool, start func(time.Duration)) {
	for index := 0; ; index++ {
		due := from + time.Duration(float64(index)*float64(time.Second)/perSecond)
		for clock.Now() < due {
			if !more(due) {
				return
			}
			clock.SleepUntil(due)
		}
		if !more(due) {
			return
		}
		start(due)
	}
}
