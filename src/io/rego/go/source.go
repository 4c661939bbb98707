package main

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/util"
)

// source is a folder of Rego and data, in bundle layout, and how to read it. Every operation on files embeds it.
type source struct {
	Files           map[string][]byte `json:"files"`
	RegoVersion     *int              `json:"regoVersion"`
	Capabilities    *ast.Capabilities `json:"capabilities"`
	RefusedBuiltins []string          `json:"refusedBuiltins"`
}

func (s source) regoVersion() ast.RegoVersion {
	if s.RegoVersion == nil {
		return ast.DefaultRegoVersion
	}
	return ast.RegoVersionFromInt(*s.RegoVersion)
}

// capabilities are OPA's own for this version unless the request has some, without the refused built-ins and without any
// host that a remote JSON schema could be fetched from.
func (s source) capabilities() *ast.Capabilities {
	given := s.Capabilities
	if given == nil {
		given = ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(s.regoVersion()))
	}
	allowed := *given
	allowed.AllowNet = []string{}
	allowed.Builtins = slices.DeleteFunc(slices.Clone(given.Builtins), func(b *ast.Builtin) bool {
		return slices.Contains(s.RefusedBuiltins, b.Name)
	})
	return &allowed
}

func (s source) fileSystem() (fs.FS, error) {
	files := fstest.MapFS{}
	for name, content := range s.Files {
		if !fs.ValidPath(name) {
			return nil, failures{{Code: codeRequest, Message: fmt.Sprintf("path %q is not relative and clean", name), File: name}}
		}
		files[name] = &fstest.MapFile{Data: content, Mode: 0o444}
	}
	return files, nil
}

func (s source) load() (*bundle.Bundle, error) {
	files, err := s.fileSystem()
	if err != nil {
		return nil, err
	}
	return loader.NewFileLoader().WithFS(files).WithProcessAnnotation(true).
		WithRegoVersion(s.regoVersion()).WithCapabilities(s.capabilities()).AsBundle(".")
}

// loadErrors loads every file alone (with the manifests), because OPA's loader stops at its first error and names the
// file only in Rego's. It is nil if each file by itself is sound.
func (s source) loadErrors() []diagnostic {
	alone := s
	alone.Files = map[string][]byte{}
	for name, content := range s.Files {
		if base := path.Base(name); base == bundle.ManifestExt || base == bundle.ManifestProtoExt {
			alone.Files[name] = content
		}
	}
	if found := alone.loadError(bundle.ManifestExt); found != nil {
		return found
	}
	var found []diagnostic
	for _, name := range util.KeysSorted(s.Files) {
		if _, manifest := alone.Files[name]; manifest {
			continue
		}
		alone.Files[name] = s.Files[name]
		found = append(found, alone.loadError(name)...)
		delete(alone.Files, name)
	}
	return found
}

func (s source) loadError(name string) []diagnostic {
	_, err := s.load()
	if err == nil {
		return nil
	}
	found := inFile(name, diagnosticsOf(err))
	for i := range found {
		if found[i].Code == codeBuild {
			found[i].Code = codeLoad
		}
	}
	return found
}
