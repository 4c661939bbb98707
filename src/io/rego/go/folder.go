package main

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// folder is a source as loaded: its modules by file, its data in a store, and a transaction that reads it.
type folder struct {
	modules map[string]*ast.Module
	store   storage.Store
	txn     storage.Transaction
}

// open loads the source, with data (JSON text) instead of its own documents if there is some.
func (s source) open(data *string) (*folder, error) {
	loaded, err := s.loadExplained()
	if err != nil {
		return nil, err
	}
	documents, err := documentsOf(loaded, data)
	if err != nil {
		return nil, err
	}
	store := inmem.NewFromObject(documents)
	txn, err := store.NewTransaction(context.Background())
	if err != nil {
		return nil, err
	}
	return &folder{modulesOf(loaded), store, txn}, nil
}

// loadExplained is load, but tells of every file that is wrong by itself.
func (s source) loadExplained() (*bundle.Bundle, error) {
	loaded, err := s.load()
	if err == nil {
		return loaded, nil
	}
	if found := s.loadErrors(); found != nil {
		return nil, failures(found)
	}
	return nil, err
}

func modulesOf(loaded *bundle.Bundle) map[string]*ast.Module {
	modules := map[string]*ast.Module{}
	for _, file := range loaded.Modules {
		modules[file.Parsed.Package.Location.File] = file.Parsed
	}
	return modules
}

func documentsOf(loaded *bundle.Bundle, data *string) (map[string]any, error) {
	documents := loaded.Data
	if data != nil {
		if err := decode("dataJson", *data, &documents); err != nil {
			return nil, err
		}
	}
	if documents == nil {
		return map[string]any{}, nil
	}
	return documents, nil
}

// compiler is OPA's with the settings that `opa check`, `opa test` and `opa eval` share.
func (f *folder) compiler(capabilities *ast.Capabilities) *ast.Compiler {
	return ast.NewCompiler().
		SetErrorLimit(0).
		WithCapabilities(capabilities).
		WithEnablePrintStatements(true).
		WithUseTypeCheckAnnotations(true).
		WithPathConflictsCheck(storage.NonEmpty(context.Background(), f.store, f.txn))
}
