package main

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// ruleTrace is how often a rule was entered and how often it held.
type ruleTrace struct {
	Path      string `json:"path"`
	File      string `json:"file"`
	Row       int    `json:"row"`
	Col       int    `json:"col"`
	Entered   int    `json:"entered"`
	Succeeded int    `json:"succeeded"`
}

// ruleTracer counts OPA's events of rules.
type ruleTracer map[*ast.Rule]*ruleTrace

func (ruleTracer) Enabled() bool { return true }

func (ruleTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (t ruleTracer) TraceEvent(event topdown.Event) {
	rule, about := event.Node.(*ast.Rule)
	if !about {
		return
	}
	switch event.Op {
	case topdown.EnterOp:
		t.of(rule).Entered++
	case topdown.ExitOp:
		t.of(rule).Succeeded++
	}
}

func (t ruleTracer) of(rule *ast.Rule) *ruleTrace {
	if t[rule] == nil {
		t[rule] = &ruleTrace{rule.Ref().GroundPrefix().String(), rule.Location.File, rule.Location.Row, rule.Location.Col, 0, 0}
	}
	return t[rule]
}

func (t ruleTracer) inOrder() []ruleTrace {
	rules := []*ast.Rule{}
	for rule := range t {
		rules = append(rules, rule)
	}
	slices.SortFunc(rules, func(a, b *ast.Rule) int { return a.Location.Compare(b.Location) })
	listed := []ruleTrace{}
	for _, rule := range rules {
		listed = append(listed, *t[rule])
	}
	return listed
}
