// Package histogram keeps durations in buckets whose width is a fixed share of their value, so that a p99.9 costs no sorted samples.
package histogram

import (
	"math"
	"math/bits"
	"time"
)

const (
	// Buckets of one power of two; a bucket is at most 1/128 of its value wide.
	perOctave = 1 << octaveBits
	// Values of 2^42 ns (73 minutes) and more share the last octave.
	valueBits  = 42
	octaveBits = 7
	buckets    = (valueBits - octaveBits + 1) * perOctave
)

// Histogram counts durations. The zero value is empty and ready.
type Histogram struct {
	counts [buckets]uint32
	total  uint64
	max    time.Duration
}

// Add counts a duration; one below zero counts as zero.
func (h *Histogram) Add(value time.Duration) {
	value = max(value, 0)
	h.counts[bucketOf(value)]++
	h.total++
	h.max = max(h.max, value)
}

// Total is how many durations were added.
func (h *Histogram) Total() uint64 { return h.total }

// Max is the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile gives the least duration that at least this share (0 to 1) of all do not exceed, rounded up to the end of its bucket; 0 when empty.
func (h *Histogram) Quantile(share float64) time.Duration {
	rank := max(uint64(math.Ceil(share*float64(h.total))), 1)
	var seen uint64
	for bucket, count := range h.counts {
		seen += uint64(count)
		if seen >= rank {
			return min(lastOf(bucket), h.max)
		}
	}
	return h.max
}

func bucketOf(value time.Duration) int {
	v := min(uint64(value), 1<<valueBits-1)
	if v < perOctave {
		return int(v)
	}
	shift := bits.Len64(v) - octaveBits - 1
	return shift*perOctave + int(v>>shift)
}

// lastOf is the largest value of a bucket.
func lastOf(bucket int) time.Duration {
	if bucket < perOctave {
		return time.Duration(bucket)
	}
	shift := bucket/perOctave - 1
	return time.Duration(uint64(bucket%perOctave+perOctave+1)<<shift - 1)
}
