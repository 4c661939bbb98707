package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

type checkRequest struct {
	source
	Strict      bool     `json:"strict"`
	InputSchema any      `json:"inputSchema"`
	Unbound     []string `json:"unbound"`
}

// check is `opa check --bundle`, `--strict` and `--schema` if asked for. In the packages of Unbound and below them the
// schema does not apply.
func check(args json.RawMessage) (any, error) {
	var asked checkRequest
	if err := json.Unmarshal(args, &asked); err != nil {
		return nil, failure{codeRequest, err.Error()}
	}
	opened, err := asked.open(nil)
	if err != nil {
		return nil, err
	}
	compiler := opened.compiler(asked.capabilities()).WithStrict(asked.Strict)
	if asked.InputSchema != nil {
		compiler = compiler.WithSchemas(schemaOfInput(asked.InputSchema))
		if err := opened.unbind(asked.Unbound); err != nil {
			return nil, err
		}
	}
	if compiler.Compile(opened.modules); compiler.Failed() {
		return nil, compiler.Errors
	}
	return nil, nil
}

// schemaOfInput is what `opa check --schema FILE` makes of a file, and what `--schema FOLDER` makes of one named input.json.
func schemaOfInput(schema any) *ast.SchemaSet {
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schema)
	set.Put(ast.SchemaRootRef.Append(ast.StringTerm("input")), schema)
	return set
}

// unbind adds a module without rules for every package that has no annotation of its kind: in it and below, input is anything.
func (f *folder) unbind(packages []string) error {
	for _, path := range packages {
		if f.annotatesSubpackages(path) {
			continue
		}
		text := fmt.Sprintf("# METADATA\n# scope: subpackages\n# schemas:\n# - input: {}\npackage %s\n", path)
		module, err := ast.ParseModuleWithOpts("", text, ast.ParserOptions{ProcessAnnotation: true})
		if err != nil {
			return err
		}
		f.modules["\x00"+path] = module
	}
	return nil
}

func (f *folder) annotatesSubpackages(path string) bool {
	for _, module := range f.modules {
		annotated := slices.ContainsFunc(module.Annotations, func(a *ast.Annotations) bool { return a.Scope == "subpackages" })
		if annotated && module.Package.Path.String() == "data."+path {
			return true
		}
	}
	return false
}
