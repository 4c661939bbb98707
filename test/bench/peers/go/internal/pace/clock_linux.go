package pace

import (
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const (
	clockMonotonic  = 1
	timerNonBlock   = syscall.O_NONBLOCK
	timerCloseExec  = syscall.O_CLOEXEC
	shortestTimer   = time.Nanosecond
	expirationBytes = 8
)

// timerSpec is struct itimerspec of timerfd_settime(2).
type timerSpec struct{ interval, value syscall.Timespec }

// timerClock waits on a timerfd(2). Go's own timers sleep in epoll_wait(2), whose timeout is in whole milliseconds, when nothing else is to do: at
// 2,000 requests a second every second one would be late. The timerfd ends that wait by itself, to some microseconds.
type timerClock struct {
	origin time.Time
	timer  *os.File
	fd     uintptr
	buffer [expirationBytes]byte
}

// NewClock gives a precise clock that begins now.
func NewClock() (Clock, error) {
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, timerNonBlock|timerCloseExec, 0)
	if errno != 0 {
		return nil, fmt.Errorf("timerfd_create: %w", errno)
	}
	return &timerClock{origin: time.Now(), timer: os.NewFile(fd, "timerfd"), fd: fd}, nil
}

func (c *timerClock) Now() time.Duration { return time.Since(c.origin) }

func (c *timerClock) SleepUntil(at time.Duration) {
	spec := timerSpec{value: syscall.NsecToTimespec(int64(max(at-c.Now(), shortestTimer)))}
	_, _, errno := syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, c.fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		time.Sleep(at - c.Now())
		return
	}
	_, _ = c.timer.Read(c.buffer[:])
}
