package main

import (
	"encoding/json"
	"path"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/open-policy-agent/opa/v1/util"
)

// formatted is `opa fmt` on every Rego file.
func formatted(args json.RawMessage) (any, error) {
	var asked source
	if err := json.Unmarshal(args, &asked); err != nil {
		return nil, failure{codeRequest, err.Error()}
	}
	version := asked.regoVersion()
	capabilities := ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(version))
	options := format.Opts{
		RegoVersion:   version,
		Capabilities:  capabilities,
		ParserOptions: &ast.ParserOptions{RegoVersion: version, Capabilities: capabilities},
	}
	texts, found := map[string]string{}, failures{}
	for _, name := range util.KeysSorted(asked.Files) {
		if path.Ext(name) != bundle.RegoExt {
			continue
		}
		text, err := format.SourceWithOpts(name, asked.Files[name], options)
		if err != nil {
			found = append(found, inFile(name, diagnosticsOf(err))...)
			continue
		}
		texts[name] = string(text)
	}
	if len(found) > 0 {
		return nil, found
	}
	return texts, nil
}
