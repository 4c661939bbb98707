package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
)

type buildRequest struct {
	source
	Entrypoints []string `json:"entrypoints"`
	Revision    *string  `json:"revision"`
}

// buildAnswer holds the files of a bundle as OPA writes them; all but the module are JSON texts.
type buildAnswer struct {
	PolicyWasm []byte `json:"policyWasm"`
	Plan       string `json:"plan"`
	Data       string `json:"data"`
	Manifest   string `json:"manifest"`
}

// build compiles the files for both targets with the same options, so that the plan is the one that the module was made
// from. It is `opa build --bundle --prune-unused --target …` on an in-memory folder.
func build(args json.RawMessage) (any, error) {
	var asked buildRequest
	if err := json.Unmarshal(args, &asked); err != nil {
		return nil, failure{codeRequest, err.Error()}
	}
	files, err := asked.fileSystem()
	if err != nil {
		return nil, err
	}
	wasm, err := asked.target(compile.TargetWasm, files)
	if err != nil {
		return nil, asked.explain(err)
	}
	plan, err := asked.target(compile.TargetPlan, files)
	if err != nil {
		return nil, err
	}
	return assemble(wasm, plan)
}

func (r buildRequest) target(target string, files fs.FS) (*bundle.Bundle, error) {
	compiler := compile.New().
		WithFS(files).
		WithPaths(".").
		WithAsBundle(true).
		WithTarget(target).
		WithEntrypoints(r.Entrypoints...).
		WithRegoAnnotationEntrypoints(true).
		WithPruneUnused(true).
		WithRegoVersion(r.regoVersion()).
		WithCapabilities(r.capabilities())
	if r.Revision != nil {
		compiler = compiler.WithRevision(*r.Revision)
	}
	if err := compiler.Build(context.Background()); err != nil {
		return nil, err
	}
	return compiler.Bundle(), nil
}

// explain prefers what is wrong with single files to the first error that stopped the build.
func (r buildRequest) explain(err error) error {
	if found := r.loadErrors(); found != nil {
		return failures(found)
	}
	return err
}

func assemble(wasm, plan *bundle.Bundle) (any, error) {
	data, err := encode(wasm.Data)
	if err != nil {
		return nil, err
	}
	manifest, err := encode(wasm.Manifest)
	if err != nil {
		return nil, err
	}
	module, planned := wasm.WasmModules[0].Raw, plan.PlanModules[len(plan.PlanModules)-1].Raw
	return buildAnswer{PolicyWasm: module, Plan: string(planned), Data: data, Manifest: manifest}, nil
}

// encode writes JSON as OPA's bundle writer does.
func encode(value any) (string, error) {
	var buffer bytes.Buffer
	err := json.NewEncoder(&buffer).Encode(value)
	return buffer.String(), err
}
