package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/open-policy-agent/opa/v1/rego"
)

// keptPrepared bounds how many prepared queries an instance keeps, with their compiled modules and their data.
const keptPrepared = 4

type preparedQuery struct {
	key   string
	query rego.PreparedEvalQuery
}

// recent holds the prepared queries, the one used last first.
var recent []preparedQuery

// prepared is the query compiled with the files and data, which may be those of an earlier call with exactly the same ones.
func prepared(asked evaluateRequest) (rego.PreparedEvalQuery, error) {
	key, err := asked.key()
	if err != nil {
		return rego.PreparedEvalQuery{}, err
	}
	if at := slices.IndexFunc(recent, func(kept preparedQuery) bool { return kept.key == key }); at >= 0 {
		found := recent[at]
		recent = slices.Insert(slices.Delete(recent, at, at+1), 0, found)
		return found.query, nil
	}
	fresh, err := asked.prepare()
	if err != nil {
		return rego.PreparedEvalQuery{}, err
	}
	recent = slices.Insert(recent[:min(len(recent), keptPrepared-1)], 0, preparedQuery{key, fresh})
	return fresh, nil
}

// key is all that a prepared query is made from.
func (r evaluateRequest) key() (string, error) {
	r.Input, r.NowNs, r.NDBuiltinCache, r.Explain, r.Value = nil, nil, nil, false, false
	encoded, err := json.Marshal(r)
	return string(encoded), err
}

func (r evaluateRequest) prepare() (rego.PreparedEvalQuery, error) {
	var none rego.PreparedEvalQuery
	opened, err := r.open(r.Data)
	if err != nil {
		return none, err
	}
	compiler := opened.compiler(r.capabilities())
	if compiler.Compile(opened.modules); compiler.Failed() {
		return none, compiler.Errors
	}
	opened.store.Abort(context.Background(), opened.txn)
	return rego.New(
		rego.Query(r.Query),
		rego.Compiler(compiler),
		rego.Store(opened.store),
		rego.SetRegoVersion(r.regoVersion()),
		rego.EnablePrintStatements(true),
		rego.StrictBuiltinErrors(r.StrictBuiltinErrors),
	).PrepareForEval(context.Background())
}
