package main

import (
	"encoding/json"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Codes of errors that OPA gives none; its own are rego_parse_error, rego_compile_error and so on.
const (
	codeRequest  = "rego_request_error"
	codeLoad     = "rego_load_error"
	codeBuild    = "rego_build_error"
	codeInternal = "rego_internal_error"
)

// diagnostic is one error. Row and column count from 1, columns in characters; 0 is unknown. Offset is the number of
// bytes of a JSON file up to and with the one at fault, where only that is known.
type diagnostic struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Details []string `json:"details,omitempty"`
	File    string   `json:"file,omitempty"`
	Row     int      `json:"row,omitempty"`
	Col     int      `json:"col,omitempty"`
	Offset  int64    `json:"offset,omitempty"`
}

type failure struct{ code, message string }

func (f failure) Error() string { return f.message }

// failures is several errors, each already in the form that the host gets.
type failures []diagnostic

func (f failures) Error() string { return f[0].Message }

func diagnosticsOf(err error) []diagnostic {
	var (
		ready  failures
		own    failure
		many   ast.Errors
		one    *ast.Error
		loaded loader.Errors
		ran    *topdown.Error
	)
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.As(err, &own):
		return []diagnostic{{Code: own.code, Message: own.message}}
	case errors.As(err, &many):
		return fromAst(many)
	case errors.As(err, &one):
		return fromAst(ast.Errors{one})
	case errors.As(err, &loaded):
		return fromLoader(loaded)
	case errors.As(err, &ran):
		return fromAst(ast.Errors{{Code: ran.Code, Message: ran.Message, Location: ran.Location}})
	}
	return []diagnostic{{Code: codeBuild, Message: err.Error(), Offset: jsonOffset(err)}}
}

func fromAst(errs ast.Errors) []diagnostic {
	var found []diagnostic
	for _, e := range errs {
		d := diagnostic{Code: e.Code, Message: e.Message}
		if e.Details != nil {
			d.Details = e.Details.Lines()
		}
		if e.Location != nil {
			d.File, d.Row, d.Col = e.Location.File, e.Location.Row, e.Location.Col
		}
		found = append(found, d)
	}
	return found
}

func fromLoader(errs loader.Errors) []diagnostic {
	var found []diagnostic
	for _, e := range errs {
		found = append(found, diagnosticsOf(e)...)
	}
	return found
}

// inFile names the file of those diagnostics that name none.
func inFile(name string, found []diagnostic) []diagnostic {
	for i := range found {
		if found[i].File == "" {
			found[i].File = name
		}
	}
	return found
}

func jsonOffset(err error) int64 {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return syntax.Offset
	case errors.As(err, &kind):
		return kind.Offset
	}
	return 0
}
