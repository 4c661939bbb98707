package h2

import (
	"bytes"
	"math/rand"
	"testing"
)

func TestAFrameHasItsPrefix(t *testing.T) {
	if got := Frame([]byte("abc")); !bytes.Equal(got, []byte{0, 0, 0, 0, 3, 'a', 'b', 'c'}) {
		t.Fatal(got)
	}
}

// Property: however a body is cut, the messages are counted where they end.
func TestMessagesAreCountedHoweverTheyAreCut(t *testing.T) {
	random := rand.New(rand.NewSource(4))
	for range 500 {
		var body []byte
		wanted := random.Intn(20)
		for range wanted {
			body = append(body, Frame(make([]byte, random.Intn(3)*random.Intn(300)))...)
		}
		var counter messageCounter
		got := 0
		for rest := body; len(rest) > 0; {
			size := 1 + random.Intn(min(len(rest), 50))
			got += counter.add(rest[:size])
			rest = rest[size:]
		}
		if got != wanted {
			t.Fatalf("%d messages of %d in %d bytes", got, wanted, len(body))
		}
		if counter.add([]byte{0, 0, 0, 0, 9}) != 0 {
			t.Fatal("half a message was counted")
		}
	}
}
