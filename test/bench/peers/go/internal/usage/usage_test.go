package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// process writes what /proc would tell of process 7.
func process(t *testing.T, proc, stat string, threads map[string]string) {
	t.Helper()
	folder := filepath.Join(proc, "7")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	for id, text := range threads {
		if err := os.MkdirAll(filepath.Join(folder, "task", id), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "task", id, "schedstat"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.MkdirAll(folder, 0o700)
	if err := os.WriteFile(filepath.Join(folder, "stat"), []byte(stat), 0o600); err != nil {
		t.Fatal(err)
	}
}

func statWith(name string, user, system int) string {
	return fmt.Sprintf("7 (%s) S 1 7 7 0 -1 4194560 1 2 3 4 %d %d 9 9 20 0 3 0 100", name, user, system)
}

func TestThreadsAreCountedToTheNanosecond(t *testing.T) {
	proc := t.TempDir()
	process(t, proc, statWith("a", 10, 5), map[string]string{"7": "1000 1 1", "8": "500 1 1"})
	before, err := read(proc, 7)
	if err != nil {
		t.Fatal(err)
	}
	process(t, proc, statWith("a", 20, 5), map[string]string{"7": "1500 1 1", "8": "501 1 1", "9": "20 1 1"})
	after, err := read(proc, 7)
	if used := after.Since(before); err != nil || used != 521 {
		t.Fatalf("%d, %v", used, err)
	}
}

func TestTicksAreUsedWhenAThreadHasEnded(t *testing.T) {
	proc := t.TempDir()
	process(t, proc, statWith("a", 10, 5), map[string]string{"7": "1000 1 1", "8": "500 1 1"})
	before, _ := read(proc, 7)
	process(t, proc, statWith("a", 20, 7), map[string]string{"7": "1500 1 1"})
	after, _ := read(proc, 7)
	if used := after.Since(before); used != 120*time.Millisecond {
		t.Fatal(used)
	}
}

func TestANameCannotMoveTheFields(t *testing.T) {
	proc := t.TempDir()
	process(t, proc, statWith("a) S 1 (b 99", 1, 2), nil)
	if got, err := read(proc, 7); err != nil || got.total != 30*time.Millisecond {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	proc := t.TempDir()
	if _, err := read(proc, 7); err == nil {
		t.Error("a process that is not there was read")
	}
	for _, stat := range []string{"", "7 (a) S 1 2", statWith("a", 1, 2)[:20]} {
		process(t, proc, stat, nil)
		if got, err := read(proc, 7); err == nil {
			t.Errorf("%q gave %v", stat, got)
		}
	}
}

func TestOthersAreWhatIsLeftOfTheMachine(t *testing.T) {
	before := machineOf("cpu  100 0 50 1000 10 0 5 1 77 0\ncpu0 9 9 9 9")
	after := machineOf("cpu  160 0 70 1100 20 0 5 11 99 0\n")
	// 90 ticks busy, 110 idle; 50 of the busy ones are known.
	if got := after.OthersSince(before, 500*time.Millisecond); got != 0.2 {
		t.Fatal(got)
	}
	if got := after.OthersSince(before, time.Hour); got != 0 {
		t.Fatal(got)
	}
	if got := (Machine{}).OthersSince(Machine{}, 0); got != 0 {
		t.Fatal(got)
	}
}

func TestOwnTimeGrowsWithWork(t *testing.T) {
	if before, err := Of(os.Getpid()); err != nil {
		t.Skip("no /proc here")
	} else {
		begun := Own()
		for sum := 0; Own()-begun < 20*time.Millisecond; sum++ {
		}
		after, _ := Of(os.Getpid())
		if used := after.Since(before); used < 10*time.Millisecond {
			t.Fatal(used)
		}
	}
}
