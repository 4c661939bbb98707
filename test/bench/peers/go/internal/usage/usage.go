// Package usage reads what processes have used of the machine (proc(5)).
package usage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Linux counts times in ticks of 10 ms (sysconf(_SC_CLK_TCK) is 100).
const tick = 10 * time.Millisecond

// Process is the CPU time of a process at one moment.
type Process struct {
	// total: user and system time of all threads, those that have ended too, in whole ticks.
	total time.Duration
	// threads: of those alive, to the nanosecond.
	threads map[string]time.Duration
}

// Of reads a process.
func Of(pid int) (Process, error) { return read("/proc", pid) }

func read(proc string, pid int) (Process, error) {
	folder := filepath.Join(proc, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return Process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	total, err := totalOf(stat)
	if err != nil {
		return Process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	process := Process{total: total, threads: map[string]time.Duration{}}
	threads, _ := filepath.Glob(filepath.Join(folder, "task", "*", "schedstat"))
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(text), " ")
		if nanos, err := strconv.ParseInt(first, 10, 64); err == nil {
			process.threads[filepath.Base(filepath.Dir(path))] = time.Duration(nanos)
		}
	}
	return process, nil
}

// totalOf reads fields 14 and 15 of `stat`, behind the name, which may have spaces and brackets.
func totalOf(stat []byte) (time.Duration, error) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("cannot read its stat: %.100q", stat)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err
}

// Since is what a process has used since an earlier reading: to the nanosecond unless one of its threads has ended meanwhile.
func (p Process) Since(before Process) time.Duration {
	var used time.Duration
	for id, now := range p.threads {
		used += now - before.threads[id]
	}
	for id := range before.threads {
		if _, alive := p.threads[id]; !alive {
			return p.total - before.total
		}
	}
	if len(p.threads) == 0 {
		return p.total - before.total
	}
	return used
}

// Machine is the CPU time of all cores at one moment.
type Machine struct{ busy, idle time.Duration }

// OfMachine reads it; nothing where the system does not tell.
func OfMachine() Machine {
	text, _ := os.ReadFile("/proc/stat")
	return machineOf(string(text))
}

// machineOf reads the first line of /proc/stat: user nice system idle iowait irq softirq steal, then guest times that are in the first two already.
func machineOf(text string) (machine Machine) {
	line, _, _ := strings.Cut(text, "\n")
	for index, field := range strings.Fields(line) {
		ticks, err := strconv.ParseInt(field, 10, 64)
		switch {
		case err != nil || index > 8:
		case index == 4 || index == 5:
			machine.idle += time.Duration(ticks) * tick
		default:
			machine.busy += time.Duration(ticks) * tick
		}
	}
	return machine
}

// OthersSince is the share of the machine's CPU time since an earlier reading that was used by others than those who used `known`.
func (m Machine) OthersSince(before Machine, known time.Duration) float64 {
	busy, idle := m.busy-before.busy, m.idle-before.idle
	if busy+idle <= 0 {
		return 0
	}
	return max(0, float64(busy-known)/float64(busy+idle))
}

// Own is the CPU time of this process.
func Own() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
