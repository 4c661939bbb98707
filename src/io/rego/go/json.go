package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// decode reads JSON text of a request as OPA does: numbers keep their digits.
func decode(what, text string, into any) error {
	if err := util.UnmarshalJSON([]byte(text), into); err != nil {
		return failure{codeRequest, fmt.Sprintf("%s: %s", what, err)}
	}
	return nil
}

// decodeValue is decode into a value of Rego.
func decodeValue(what, text string) (ast.Value, error) {
	var decoded any
	if err := decode(what, text, &decoded); err != nil {
		return nil, err
	}
	return ast.InterfaceToValue(decoded)
}

// jsonText is one line of JSON without the escapes that only HTML needs.
func jsonText(value any) (string, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimSuffix(buffer.String(), "\n"), err
}
