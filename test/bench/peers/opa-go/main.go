// Command opa-envoy is OPA, unmodified, with an ext_authz server that behaves as the OPA-Envoy plugin does. The plugin itself is not to be had as a module
// of this version of OPA, so every table names this program as what it is.
package main

import (
	"errors"
	"os"

	"github.com/open-policy-agent/opa/cmd"
	"github.com/open-policy-agent/opa/v1/runtime"
)

func main() {
	runtime.RegisterPlugin(pluginName, factory{})
	err := cmd.RootCommand.Execute()
	if exit, ok := errors.AsType[*cmd.ExitError](err); ok {
		os.Exit(exit.Exit)
	}
	if err != nil {
		os.Exit(1)
	}
}
