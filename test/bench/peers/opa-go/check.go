package main

import (
	"context"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/uuid"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/plugins/logs"
	"github.com/open-policy-agent/opa/v1/server"
	"github.com/open-policy-agent/opa/v1/storage"
)

// authorizer answers Envoy.
type authorizer struct {
	authv3.UnimplementedAuthorizationServer
	manager *plugins.Manager
	rule    *rule
}

// check is one question of Envoy: what is known of it so far, for the decision log.
type check struct {
	id      string
	begun   time.Time
	txn     storage.Transaction
	metrics metrics.Metrics
	input   any
	value   ast.Value
	result  any
	err     error
}

// Check decides on one request. An error, and a decision that cannot be logged, make Envoy refuse it.
func (a *authorizer) Check(ctx context.Context, request *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	c := &check{id: uuid.NewString(), begun: time.Now(), metrics: metrics.New()}
	c.metrics.Timer(metrics.ServerHandler).Start()
	txn, err := a.manager.Store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer a.manager.Store.Abort(ctx, txn)
	c.txn = txn
	response := a.decide(ctx, c, request)
	c.metrics.Timer(metrics.ServerHandler).Stop()
	if err := a.log(ctx, c); err != nil {
		return nil, err
	}
	if response == nil {
		return nil, c.err
	}
	return response, nil
}

// decide gives the answer, or nil and the reason in `c.err`. A request that cannot be read is refused before any policy is asked.
func (a *authorizer) decide(ctx context.Context, c *check, request *authv3.CheckRequest) *authv3.CheckResponse {
	input, err := inputOf(request)
	if err != nil {
		c.err = err
		return unreadable(c.id)
	}
	c.input = input
	if c.value, c.err = ast.InterfaceToValue(input); c.err != nil {
		return nil
	}
	if c.result, c.err = a.rule.evaluate(ctx, c.txn, c.value, c.metrics); c.err != nil {
		return nil
	}
	response, err := answerOf(c.result, c.id)
	c.err = err
	return response
}

// log hands the decision to OPA's own decision log, where that is on. The input goes along as the value that was made of it for the evaluation, which
// spares the log from making it again.
func (a *authorizer) log(ctx context.Context, c *check) error {
	log := logs.Lookup(a.manager)
	if log == nil {
		return nil
	}
	info := &server.Info{
		Txn:        c.txn,
		DecisionID: c.id,
		Path:       a.rule.path,
		Timestamp:  c.begun,
		Input:      &c.input,
		InputAST:   c.value,
		Error:      c.err,
		Metrics:    c.metrics,
	}
	if c.err == nil {
		info.Results = &c.result
	}
	return log.Log(ctx, info)
}
