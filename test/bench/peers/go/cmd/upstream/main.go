// Command upstream is the agent behind every target: HTTP/1.1 on one port of 127.0.0.1, and HTTP/2 by prior knowledge on another, which takes HTTP/1.1
// as well for targets that know one address only. It prints {"http1":port,"h2c":port} and ends on SIGTERM. It shares a core with the load, so it does as
// little as it can.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	runtime.GOMAXPROCS(1)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

func run() error {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	prior, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go accept(plain, serveHTTP1)
	go accept(prior, serveEither)
	if err := json.NewEncoder(os.Stdout).Encode(map[string]int{"http1": portOf(plain), "h2c": portOf(prior)}); err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	<-ended
	return nil
}

func accept(listener net.Listener, serve func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "upstream:", err)
			os.Exit(1)
		}
		go serve(conn)
	}
}

func portOf(listener net.Listener) int { return listener.Addr().(*net.TCPAddr).Port }
