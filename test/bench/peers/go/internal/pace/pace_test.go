package pace

import (
	"slices"
	"testing"
	"time"
)

// drivenClock stands still but in SleepUntil, which oversleeps by what the test says.
type drivenClock struct {
	now       time.Duration
	oversleep func(at time.Duration) time.Duration
	sleeps    int
}

func (c *drivenClock) Now() time.Duration { return c.now }

func (c *drivenClock) SleepUntil(at time.Duration) {
	c.sleeps++
	c.now = at + c.oversleep(at)
}

func until(end time.Duration) func(time.Duration) bool {
	return func(at time.Duration) bool { return at < end }
}

func precisely(time.Duration) time.Duration { return 0 }

func TestStartsAreEvenlySpacedFromTheBegin(t *testing.T) {
	clock := &drivenClock{oversleep: precisely}
	var starts []time.Duration
	Run(clock, 4, time.Second, until(2*time.Second), func(at time.Duration) { starts = append(starts, at) })
	want := []time.Duration{1000 * time.Millisecond, 1250 * time.Millisecond, 1500 * time.Millisecond, 1750 * time.Millisecond}
	if !slices.Equal(starts, want) {
		t.Fatalf("starts at %v", starts)
	}
}

func TestAnUnevenRateDoesNotDrift(t *testing.T) {
	clock := &drivenClock{oversleep: precisely}
	count, last := 0, time.Duration(0)
	Run(clock, 3000, 0, until(100*time.Second), func(at time.Duration) { count, last = count+1, at })
	if count != 300_000 || last != time.Duration(299_999)*time.Second/3000 {
		t.Fatalf("%d starts, the last at %v", count, last)
	}
}

func TestWhatFellDueWhileAsleepStartsAtOnceWithItsIntendedTime(t *testing.T) {
	clock := &drivenClock{oversleep: func(at time.Duration) time.Duration {
		if at == 3*time.Millisecond {
			return 5500 * time.Microsecond
		}
		return 0
	}}
	var starts, at []time.Duration
	Run(clock, 1000, 0, until(11*time.Millisecond), func(due time.Duration) {
		starts, at = append(starts, due/time.Millisecond), append(at, clock.now)
	})
	if !slices.Equal(starts, []time.Duration{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
		t.Fatalf("starts at %v", starts)
	}
	for index := 3; index <= 8; index++ {
		if at[index] != 8500*time.Microsecond {
			t.Errorf("start %d was made at %v", index, at[index])
		}
	}
	if at[9] != 9*time.Millisecond || clock.sleeps != 5 {
		t.Errorf("then at %v; %d sleeps", at[9], clock.sleeps)
	}
}

func TestSleepsThatEndEarlyAreRepeated(t *testing.T) {
	clock := &drivenClock{}
	clock.oversleep = func(at time.Duration) time.Duration {
		if clock.sleeps%2 == 1 {
			return -time.Microsecond
		}
		return 0
	}
	Run(clock, 1000, 0, until(5*time.Millisecond), func(due time.Duration) {
		if clock.now < due {
			t.Errorf("%v was started at %v", due, clock.now)
		}
	})
	if clock.sleeps != 8 {
		t.Errorf("%d sleeps", clock.sleeps)
	}
}

func TestTheRealClockNeverWakesEarly(t *testing.T) {
	clock, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	Run(clock, 5000, clock.Now(), until(clock.Now()+20*time.Millisecond), func(due time.Duration) {
		if now := clock.Now(); now < due {
			t.Errorf("%v was started at %v", due, now)
		}
	})
}
