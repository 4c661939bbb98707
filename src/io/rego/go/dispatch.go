package main

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
)

type request struct {
	Operation string          `json:"operation"`
	Arguments json.RawMessage `json:"arguments"`
}

type answer struct {
	OK     bool         `json:"ok"`
	Value  any          `json:"value,omitempty"`
	Errors []diagnostic `json:"errors,omitempty"`
}

// dispatch always answers with JSON: what an operation returns, or its errors, of which a panic is one.
func dispatch(bytes []byte) []byte {
	value, err := run(bytes)
	reply := answer{OK: err == nil, Value: value}
	if err != nil {
		reply = answer{Errors: diagnosticsOf(err)}
	}
	encoded, err := json.Marshal(reply)
	if err != nil {
		encoded, _ = json.Marshal(answer{Errors: diagnosticsOf(err)})
	}
	return encoded
}

func run(bytes []byte) (value any, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = failure{codeInternal, fmt.Sprintf("panic: %v\n%s", reason, debug.Stack())}
		}
	}()
	var asked request
	if err := json.Unmarshal(bytes, &asked); err != nil {
		return nil, failure{codeRequest, err.Error()}
	}
	operation, known := operations[asked.Operation]
	if !known {
		return nil, failure{codeRequest, fmt.Sprintf("unknown operation %q", asked.Operation)}
	}
	return operation(asked.Arguments)
}
