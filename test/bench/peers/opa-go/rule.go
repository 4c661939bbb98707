package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
)

// rule is the decision that is asked for: a query prepared once for each state of the policies.
type rule struct {
	manager  *plugins.Manager
	path     string
	query    ast.Body
	prepared atomic.Pointer[rego.PreparedEvalQuery]
}

// newRule takes a path as OPA-Envoy's configuration has it: `envoy/authz/allow` is `data.envoy.authz.allow`.
func newRule(manager *plugins.Manager, path string) *rule {
	ref := ast.DefaultRootRef.Copy()
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		ref = ref.Append(ast.StringTerm(part))
	}
	made := &rule{manager: manager, path: path, query: ast.NewBody(ast.NewExpr(ast.NewTerm(ref)))}
	manager.RegisterCompilerTrigger(func(storage.Transaction) { made.prepared.Store(nil) })
	return made
}

// evaluate gives the rule's value for an input; an undefined rule is an error.
func (r *rule) evaluate(ctx context.Context, txn storage.Transaction, input ast.Value, m metrics.Metrics) (any, error) {
	prepared, err := r.prepare(ctx, txn)
	if err != nil {
		return nil, err
	}
	results, err := prepared.Eval(ctx, rego.EvalTransaction(txn), rego.EvalParsedInput(input), rego.EvalMetrics(m))
	if err != nil {
		return nil, err
	}
	switch len(results) {
	case 0:
		return nil, errors.New("undefined decision")
	case 1:
		return results[0].Expressions[0].Value, nil
	default:
		return nil, fmt.Errorf("%d results for one decision", len(results))
	}
}

func (r *rule) prepare(ctx context.Context, txn storage.Transaction) (*rego.PreparedEvalQuery, error) {
	if prepared := r.prepared.Load(); prepared != nil {
		return prepared, nil
	}
	prepared, err := rego.New(
		rego.ParsedQuery(r.query),
		rego.Compiler(r.manager.GetCompiler()),
		rego.Store(r.manager.Store),
		rego.Transaction(txn),
		rego.Runtime(r.manager.Info),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, err
	}
	r.prepared.Store(&prepared)
	return &prepared, nil
}
