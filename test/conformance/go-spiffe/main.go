// Command judge is go-spiffe, the reference library, in the roles that Sallyport is tested against. Every mode prints JSON, one value a line.
//
//	judge watch  SOCKET                     X509-SVIDs and bundles as go-spiffe takes them, at every update, until stdin closes
//	judge verify                            stdin: {"chain":[base64],"key":base64,"bundle":[base64],"domain":name}; is it an X509-SVID, and does it verify?
//	judge get    SOCKET ID ADDRESS PATH...  HTTPS with our SVID to a server that must be ID; one line for each path, on one connection each
//	judge serve  SOCKET ID                  HTTPS with our SVID for clients that must be ID; prints its address, then one line a request, until stdin closes
//	judge agent  FILE SOCKET                a Workload API by go-spiffe's own protocol types; serves the FILE of lines {"svids":[…],"crl":[…],"federated":{…}}, the next one at each line of stdin
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch {
	case len(args) == 2 && args[0] == "watch":
		go endWithStdin(cancel)
		return watch(ctx, args[1])
	case len(args) == 1 && args[0] == "verify":
		return verify()
	case len(args) >= 5 && args[0] == "get":
		return get(ctx, args[1], args[2], args[3], args[4:])
	case len(args) == 3 && args[0] == "serve":
		go endWithStdin(cancel)
		return serve(ctx, args[1], args[2])
	case len(args) == 3 && args[0] == "agent":
		return agent(args[1], args[2])
	}
	return fmt.Errorf("usage: judge watch|verify|get|serve|agent …")
}

// endWithStdin lets no process outlive the test that started it.
func endWithStdin(cancel func()) {
	buffer := make([]byte, 1)
	for {
		if _, err := os.Stdin.Read(buffer); err != nil {
			cancel()
			return
		}
	}
}

func say(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}
