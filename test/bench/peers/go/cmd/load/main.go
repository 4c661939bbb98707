// Command load puts one job (stdin, JSON) on a proxy with mutual TLS and prints what it measured (stdout, one line of JSON). `load-job.ts` describes both.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"sallyport/bench-peers/internal/job"
)

// Garbage of the load is short-lived: fewer, larger collections cost the measured core less.
const gcPercent = 800

func main() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(gcPercent)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run() error {
	job, err := job.Read(os.Stdin)
	if err != nil {
		return err
	}
	world, err := newWorld(job)
	if err != nil {
		return err
	}
	result, err := measure(world)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
