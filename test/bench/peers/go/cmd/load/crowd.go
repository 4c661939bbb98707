package main

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"sallyport/bench-peers/internal/h2"
	"sallyport/bench-peers/internal/http1"
)

const (
	slowBytesPerSecond = 64 << 10
	slowReadBytes      = 4 << 10
	// So that the kernel does not hide a slow reader from the target.
	slowSocketBytes = 16 << 10
)

// crowd is who is there beside the counted load.
type crowd struct {
	world        *world
	idleClosed   atomic.Int64
	slowReopened atomic.Int64
}

// gather opens idle connections, after one answered request each, and starts the slow readers.
func (c *crowd) gather() error {
	for index := range c.world.job.IdleConnections {
		if err := c.idle(); err != nil {
			return fmt.Errorf("idle connection %d: %w", index+1, err)
		}
	}
	for range c.world.job.SlowReaders {
		go c.slow()
	}
	return nil
}

func (c *crowd) idle() error {
	conn, err := c.world.dial(c.world.tls, nil)
	if err != nil {
		return err
	}
	if c.world.job.IsHTTP2() {
		return c.idleHTTP2(conn)
	}
	if _, err := exchange(conn, http1.NewReader(conn), written(c.world.job)[0], c.world.job.Requests[0].Method); err != nil {
		return c.world.why(err)
	}
	go func() {
		_, _ = conn.Read(make([]byte, 1))
		c.lost()
	}()
	return nil
}

func (c *crowd) idleHTTP2(conn net.Conn) error {
	client, err := h2.NewClient(conn, dialPatience)
	if err != nil {
		return c.world.why(err)
	}
	client.OnEnd(c.lost)
	fields, bodies := prepared(c.world.job)
	call, err := client.Start(fields[0], bodies[0], true)
	if err == nil {
		_, err = call.All()
	}
	return err
}

func (c *crowd) lost() {
	if !c.world.over() {
		c.idleClosed.Add(1)
	}
}

// slow asks for large answers and reads them slowly, again and again.
func (c *crowd) slow() {
	config := c.world.tls.Clone()
	config.NextProtos = []string{"http/1.1"}
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", c.world.job.SlowPath, c.world.job.ServerName)
	for first := true; !c.world.over(); first = false {
		if !first {
			c.slowReopened.Add(1)
			c.world.pause(redialPause)
		}
		conn, err := c.world.dial(config, func(socket *net.TCPConn) { _ = socket.SetReadBuffer(slowSocketBytes) })
		if err != nil {
			continue
		}
		reader := http1.NewReader(&slowSource{conn, c.world})
		for err == nil {
			var answer http1.Answer
			if answer, err = exchange(conn, reader, request, "GET"); err == nil && !answer.Reusable {
				break
			}
		}
		_ = conn.Close()
	}
}

// slowSource reads a connection at slowBytesPerSecond.
type slowSource struct {
	conn  io.Reader
	world *world
}

func (s *slowSource) Read(into []byte) (int, error) {
	n, err := s.conn.Read(into[:min(len(into), slowReadBytes)])
	s.world.pause(time.Duration(n) * time.Second / slowBytesPerSecond)
	return n, err
}
