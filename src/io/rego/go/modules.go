package main

import (
	"encoding/json"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
)

type moduleAnswer struct {
	File    string       `json:"file"`
	Package string       `json:"package"`
	Row     int          `json:"row"`
	Rules   []ruleAnswer `json:"rules"`
}

type ruleAnswer struct {
	Path string `json:"path"`
	Row  int    `json:"row"`
	Col  int    `json:"col"`
}

// modules lists packages and rules with their places; paths are in the form of an entrypoint.
func modules(args json.RawMessage) (any, error) {
	var asked source
	if err := json.Unmarshal(args, &asked); err != nil {
		return nil, failure{codeRequest, err.Error()}
	}
	loaded, err := asked.loadExplained()
	if err != nil {
		return nil, err
	}
	found := []moduleAnswer{}
	for _, file := range loaded.Modules {
		module := file.Parsed
		listed := moduleAnswer{File: file.Path, Package: slashed(module.Package.Path), Row: module.Package.Location.Row, Rules: []ruleAnswer{}}
		for _, rule := range module.Rules {
			at := ruleAnswer{slashed(rule.Ref().GroundPrefix()), rule.Location.Row, rule.Location.Col}
			listed.Rules = append(listed.Rules, at)
		}
		found = append(found, listed)
	}
	return found, nil
}

func slashed(ref ast.Ref) string {
	path, err := storage.NewPathForRef(ref)
	if err != nil {
		return ref.String()
	}
	return strings.TrimPrefix(path.String(), "/")
}
