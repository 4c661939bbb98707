package main

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/util/channel"
)

// testTimeout is long: nothing interrupts a call into the module but its host.
const testTimeout = time.Hour

type testRequest struct {
	source
	Filter   string `json:"filter"`
	Coverage bool   `json:"coverage"`
}

type testAnswer struct {
	Results  []testResult  `json:"results"`
	Coverage *cover.Report `json:"coverage,omitempty"`
}

type testResult struct {
	Package    string     `json:"package"`
	Name       string     `json:"name"`
	File       string     `json:"file"`
	Row        int        `json:"row"`
	Col        int        `json:"col"`
	Outcome    string     `json:"outcome"`
	Error      string     `json:"error,omitempty"`
	DurationNs int64      `json:"durationNs"`
	Output     string     `json:"output"`
	Cases      []testCase `json:"cases,omitempty"`
}

type testCase struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
}

// test is `opa test --bundle`, one test after the other.
func test(args json.RawMessage) (any, error) {
	var asked testRequest
	if err := json.Unmarshal(args, &asked); err != nil {
		return nil, failure{codeRequest, err.Error()}
	}
	if _, err := regexp.Compile(asked.Filter); err != nil {
		return nil, failure{codeRequest, "filter: " + err.Error()}
	}
	opened, err := asked.open(nil)
	if err != nil {
		return nil, err
	}
	runner := tester.NewRunner().
		SetCompiler(opened.compiler(asked.capabilities())).
		SetStore(opened.store).
		SetModules(opened.modules).
		SetTimeout(testTimeout).
		SetParallel(1).
		Filter(asked.Filter)
	var covered *cover.Cover
	if asked.Coverage {
		covered = cover.New()
		runner = runner.SetCoverageRuns(nil).SetCoverageQueryTracer(covered)
	}
	results, err := runner.RunTests(context.Background(), opened.txn)
	if err != nil {
		return nil, err
	}
	return testAnswer{inOrder(channel.Collect(results)), reportOf(covered, opened.modules)}, nil
}

func reportOf(covered *cover.Cover, modules map[string]*ast.Module) *cover.Report {
	if covered == nil {
		return nil
	}
	report := covered.Report(modules)
	return &report
}

func inOrder(results []*tester.Result) []testResult {
	slices.SortFunc(results, func(a, b *tester.Result) int {
		return cmp.Or(a.Location.Compare(b.Location), cmp.Compare(a.Name, b.Name))
	})
	listed := []testResult{}
	for _, r := range results {
		listed = append(listed, testResult{
			r.Package, r.Name, r.Location.File, r.Location.Row, r.Location.Col, outcome(r), errorText(r.Error),
			r.Duration.Nanoseconds(), string(r.Output), casesOf(r.SubResults),
		})
	}
	return listed
}

func outcome(r *tester.Result) string {
	switch {
	case r.Pass():
		return "passed"
	case r.Fail:
		return "failed"
	case r.Skip:
		return "skipped"
	}
	return "error"
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func casesOf(results tester.SubResultMap) []testCase {
	var listed []testCase
	for name, result := range results.Iter {
		if len(result.SubResults) > 0 {
			continue
		}
		outcome := "passed"
		if result.Fail {
			outcome = "failed"
		}
		listed = append(listed, testCase{strings.Join(name, "/"), outcome})
	}
	return listed
}
