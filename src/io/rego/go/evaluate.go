package main

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
)

type evaluateRequest struct {
	source
	Query               string  `json:"query"`
	Value               bool    `json:"value"`
	Input               *string `json:"input"`
	Data                *string `json:"data"`
	NowNs               *string `json:"nowNs"`
	NDBuiltinCache      *string `json:"ndBuiltinCache"`
	Explain             bool    `json:"explain"`
	StrictBuiltinErrors bool    `json:"strictBuiltinErrors"`
}

// evaluateAnswer holds the value of the query's expression if Value was asked for, else all its bindings.
type evaluateAnswer struct {
	Defined        bool        `json:"defined"`
	ResultJSON     string      `json:"resultJson,omitempty"`
	Rules          []ruleTrace `json:"rules"`
	Output         string      `json:"output"`
	BuiltinErrors  []string    `json:"builtinErrors"`
	NDBuiltinCache string      `json:"ndBuiltinCacheJson"`
}

// evaluate is `opa eval --bundle` on an in-memory folder.
func evaluate(args json.RawMessage) (any, error) {
	var asked evaluateRequest
	if err := json.Unmarshal(args, &asked); err != nil {
		return nil, failure{codeRequest, err.Error()}
	}
	query, err := prepared(asked)
	if err != nil {
		return nil, err
	}
	cache, err := ndCacheOf(asked.NDBuiltinCache)
	if err != nil {
		return nil, err
	}
	run := evaluation{cache: cache, rules: ruleTracer{}}
	options, err := run.options(asked)
	if err != nil {
		return nil, err
	}
	results, err := query.Eval(context.Background(), options...)
	if err != nil {
		return nil, err
	}
	return run.answer(results, asked.Value)
}

// evaluation collects what one evaluation leaves behind besides its result.
type evaluation struct {
	cache  builtins.NDBCache
	errors []topdown.Error
	output strings.Builder
	rules  ruleTracer
}

func (e *evaluation) options(asked evaluateRequest) ([]rego.EvalOption, error) {
	options := []rego.EvalOption{
		rego.EvalSortSets(true),
		rego.EvalPrintHook(topdown.NewPrintHook(&e.output)),
		rego.EvalBuiltinErrorList(&e.errors),
		rego.EvalNDBuiltinCache(e.cache),
	}
	if asked.Input != nil {
		input, err := decodeValue("inputJson", *asked.Input)
		if err != nil {
			return nil, err
		}
		options = append(options, rego.EvalParsedInput(input))
	}
	if asked.NowNs != nil {
		ns, err := strconv.ParseInt(*asked.NowNs, 10, 64)
		if err != nil {
			return nil, failure{codeRequest, "nowNs: " + err.Error()}
		}
		options = append(options, rego.EvalTime(time.Unix(0, ns)))
	}
	if asked.Explain {
		options = append(options, rego.EvalQueryTracer(e.rules))
	}
	return options, nil
}

func (e *evaluation) answer(results rego.ResultSet, value bool) (any, error) {
	cache, err := jsonText(e.cache)
	if err != nil {
		return nil, err
	}
	reply := evaluateAnswer{
		Defined: len(results) > 0, Rules: e.rules.inOrder(), Output: e.output.String(), BuiltinErrors: []string{}, NDBuiltinCache: cache,
	}
	for i := range e.errors {
		reply.BuiltinErrors = append(reply.BuiltinErrors, e.errors[i].Error())
	}
	switch {
	case !value:
		bindings := []rego.Vars{}
		for _, result := range results {
			bindings = append(bindings, result.Bindings)
		}
		reply.ResultJSON, err = jsonText(bindings)
	case reply.Defined:
		reply.ResultJSON, err = jsonText(results[0].Expressions[0].Value)
	}
	return reply, err
}
