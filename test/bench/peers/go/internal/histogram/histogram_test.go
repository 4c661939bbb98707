package histogram

import (
	"math/rand"
	"slices"
	"testing"
	"time"
)

func TestEmptyHasNoQuantiles(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 || h.Total() != 0 {
		t.Fatalf("got %v, %v, %v", h.Quantile(0.5), h.Max(), h.Total())
	}
}

func TestSmallValuesAreExact(t *testing.T) {
	var h Histogram
	for value := range time.Duration(100) {
		h.Add(value)
	}
	for share, want := range map[float64]time.Duration{0: 0, 0.01: 0, 0.5: 49, 0.9: 89, 0.99: 98, 1: 99} {
		if got := h.Quantile(share); got != want {
			t.Errorf("quantile %v is %v, not %v", share, got, want)
		}
	}
}

func TestABucketEndsWhereTheNextBegins(t *testing.T) {
	for bucket := range buckets - 1 {
		last := lastOf(bucket)
		if bucketOf(last) != bucket || bucketOf(last+1) != bucket+1 {
			t.Fatalf("bucket %d ends with %d, which is in %d; the next value in %d", bucket, last, bucketOf(last), bucketOf(last+1))
		}
	}
}

func TestQuantilesOfSamplesAreWithinOneBucket(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for range 50 {
		var h Histogram
		samples := make([]time.Duration, 1+random.Intn(20_000))
		for i := range samples {
			samples[i] = time.Duration(random.ExpFloat64() * float64(time.Millisecond) * float64(1+random.Intn(50)))
			h.Add(samples[i])
		}
		slices.Sort(samples)
		for _, share := range []float64{0.5, 0.9, 0.99, 0.999} {
			rank := max(int(float64(len(samples))*share+0.999999), 1)
			exact, got := samples[rank-1], h.Quantile(share)
			if got < exact || float64(got-exact) > float64(exact)/perOctave+1 {
				t.Fatalf("p%v of %d samples: %v, exactly %v", share*100, len(samples), got, exact)
			}
		}
		if h.Max() != samples[len(samples)-1] || h.Quantile(1) != h.Max() {
			t.Fatalf("max %v, p100 %v, exactly %v", h.Max(), h.Quantile(1), samples[len(samples)-1])
		}
	}
}

func TestOutOfRangeIsKept(t *testing.T) {
	var h Histogram
	h.Add(-time.Second)
	if h.Max() != 0 || h.Quantile(1) != 0 {
		t.Fatalf("a time before zero gave %v", h.Max())
	}
	h.Add(300 * time.Hour)
	if h.Max() != 300*time.Hour || h.Total() != 2 {
		t.Fatalf("max %v of %d", h.Max(), h.Total())
	}
}
