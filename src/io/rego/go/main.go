// Command rego is Open Policy Agent's own Rego toolkit as a WebAssembly reactor: requests and answers are JSON in linear
// memory. It holds no rule of Sallyport's: every operation hands its arguments to OPA and its results back.
package main

import (
	"encoding/json"
	"runtime"

	opa "github.com/open-policy-agent/opa/v1/version"
)

// operations is the one table of what may be asked for; a new operation is a row here and a file beside this one.
var operations = map[string]func(args json.RawMessage) (any, error){
	"build":    build,
	"check":    check,
	"evaluate": evaluate,
	"format":   formatted,
	"inspect":  inspect,
	"modules":  modules,
	"test":     test,
	"version":  version,
}

func main() {}

// version tells what the module was built from.
func version(json.RawMessage) (any, error) {
	return map[string]string{"opa": opa.Version, "go": runtime.Version()}, nil
}
