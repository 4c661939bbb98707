//go:build !linux

package pace

import "time"

type sleepClock struct{ origin time.Time }

// NewClock gives a clock that begins now.
func NewClock() (Clock, error) { return sleepClock{time.Now()}, nil }

func (c sleepClock) Now() time.Duration { return time.Since(c.origin) }

func (c sleepClock) SleepUntil(at time.Duration) { time.Sleep(at - c.Now()) }
