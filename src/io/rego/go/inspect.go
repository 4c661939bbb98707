package main

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

type inspectAnswer struct {
	Packages    []packageAnswer    `json:"packages"`
	Rules       []ruleInspected    `json:"rules"`
	Annotations []annotationAnswer `json:"annotations"`
	Entrypoints []string           `json:"entrypoints"`
	Builtins    []builtinCall      `json:"builtins"`
}

type packageAnswer struct {
	Path  string   `json:"path"`
	Files []string `json:"files"`
}

type ruleInspected struct {
	Path      string `json:"path"`
	File      string `json:"file"`
	Row       int    `json:"row"`
	Col       int    `json:"col"`
	IsDefault bool   `json:"isDefault"`
}

type annotationAnswer struct {
	Path       string           `json:"path"`
	Scope      string           `json:"scope"`
	File       string           `json:"file"`
	Row        int              `json:"row"`
	Annotation *ast.Annotations `json:"annotation"`
}

type builtinCall struct {
	Name string `json:"name"`
	File string `json:"file"`
	Row  int    `json:"row"`
	Col  int    `json:"col"`
}

// inspect tells what the files define and, once compiled, which built-ins they call.
func inspect(args json.RawMessage) (any, error) {
	var asked source
	if err := json.Unmarshal(args, &asked); err != nil {
		return nil, failure{codeRequest, err.Error()}
	}
	opened, err := asked.open(nil)
	if err != nil {
		return nil, err
	}
	compiler := opened.compiler(asked.capabilities()).WithAllowUndefinedFunctionCalls(true)
	if compiler.Compile(opened.modules); compiler.Failed() {
		return nil, compiler.Errors
	}
	found := inspectAnswer{[]packageAnswer{}, []ruleInspected{}, []annotationAnswer{}, []string{}, []builtinCall{}}
	found.define(opened.modules)
	found.annotate(compiler.GetAnnotationSet())
	for _, name := range util.KeysSorted(opened.modules) {
		found.Builtins = append(found.Builtins, callsIn(compiler.Modules[name])...)
	}
	return found, nil
}

func (a *inspectAnswer) define(modules map[string]*ast.Module) {
	files := map[string][]string{}
	for _, name := range util.KeysSorted(modules) {
		path := modules[name].Package.Path.String()
		files[path] = append(files[path], name)
		for _, rule := range modules[name].Rules {
			at := rule.Location
			a.Rules = append(a.Rules, ruleInspected{rule.Ref().GroundPrefix().String(), name, at.Row, at.Col, rule.Default})
		}
	}
	for _, path := range util.KeysSorted(files) {
		a.Packages = append(a.Packages, packageAnswer{path, files[path]})
	}
}

func (a *inspectAnswer) annotate(set *ast.AnnotationSet) {
	for _, ref := range set.Flatten() {
		at := ref.Location
		listed := annotationAnswer{ref.Path.String(), ref.Annotations.Scope, at.File, at.Row, ref.Annotations}
		a.Annotations = append(a.Annotations, listed)
		if ref.Annotations.Entrypoint {
			a.Entrypoints = append(a.Entrypoints, slashed(ref.Path))
		}
	}
}

// callsIn lists calls of built-ins by name: not operators, nor what OPA's compiler puts in for syntax.
func callsIn(module *ast.Module) []builtinCall {
	var calls []*ast.Expr
	ast.WalkExprs(module, func(expr *ast.Expr) bool {
		if expr.IsCall() && callsByName(expr.Operator().String()) {
			calls = append(calls, expr)
		}
		return false
	})
	slices.SortStableFunc(calls, func(a, b *ast.Expr) int { return a.Location.Compare(b.Location) })
	var listed []builtinCall
	for _, expr := range calls {
		at := expr.OperatorTerm().Location
		listed = append(listed, builtinCall{expr.Operator().String(), at.File, at.Row, at.Col})
	}
	return slices.Compact(listed)
}

func callsByName(name string) bool {
	builtin, known := ast.BuiltinMap[name]
	return known && builtin.Infix == "" && !strings.HasPrefix(name, "internal.")
}
