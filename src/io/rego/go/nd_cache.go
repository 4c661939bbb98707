package main

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
)

// ndCacheOf reads what a decision log has as nd_builtin_cache: name to arguments to answer. The arguments are an array as the
// text of a JSON key, which OPA's own reading leaves a string, so that no call would find it.
func ndCacheOf(text *string) (builtins.NDBCache, error) {
	cache := builtins.NDBCache{}
	if text == nil {
		return cache, nil
	}
	recorded := map[string]map[string]any{}
	if err := decode("ndBuiltinCacheJson", *text, &recorded); err != nil {
		return nil, err
	}
	for name, answers := range recorded {
		for arguments, answer := range answers {
			key, err := decodeValue("ndBuiltinCacheJson: arguments of "+name, arguments)
			if err != nil {
				return nil, err
			}
			value, err := ast.InterfaceToValue(answer)
			if err != nil {
				return nil, err
			}
			cache.Put(name, key, value)
		}
	}
	return cache, nil
}
