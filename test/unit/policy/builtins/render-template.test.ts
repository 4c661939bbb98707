import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { parseTerm } from '../../../../src/core/policy/term-text.ts';
import { str } from '../../../../src/core/policy/term.ts';
import { call, limited } from '../../../support/builtin-call.ts';

function render(template: string, values: string): string {
  const result = call('strings.render_template', [str(template), parseTerm(values)]);
  assert.ok(result.kind === 'string');
  return result.value;
}

test('text/template: fields, and what is not there', () => {
  assert.equal(
    render('{{.a}} {{.b.c}} {{.x}} {{.x.y}} {{.n}}', '{"a": 1.50, "b": {"c": "d"}, "n": null}'),
    '1.50 d <undefined> <undefined> <undefined>',
  );
  assert.equal(render('{{.}}', '{"b": [1, "x", null], "a": {"c": true}}'), 'map[a:map[c:true] b:[1 x <nil>]]');
  assert.equal(render('{{.a}}', '{"a": "<no value>"}'), '<undefined>', 'as OPA does');
});

test('text/template: if, else if, range, with and their else', () => {
  const values = '{"yes": "x", "no": "", "list": ["a", "b"], "map": {"z": 1, "y": 2}, "zero": 0}';
  assert.equal(
    render('{{if .yes}}1{{else}}2{{end}}{{if .no}}1{{else if .zero}}3{{else}}2{{end}}{{if .nothing}}1{{end}}', values),
    '13',
  );
  assert.equal(
    render('{{range .list}}[{{.}}]{{end}}{{range .map}}{{.}}{{end}}{{range .nothing}}{{else}}none{{end}}', values),
    '[a][b]21none',
  );
  assert.equal(render('{{with .yes}}{{.}}{{end}}{{with .no}}{{else}}{{.zero}}{{end}}', values), 'x0');
});

test('text/template: a hyphen takes white space away, a comment says nothing', () => {
  assert.equal(render('a \n{{- .x -}}\t b{{/* }} */}} {{- /* c */ -}} !', '{"x": 1}'), 'a1b!');
});

for (const template of [
  '{{',
  '{{}}',
  '{{.a',
  '{{end}}',
  '{{else}}',
  '{{if .a}}',
  '{{if .a}}{{else}}{{else}}{{end}}',
  '{{if}}x{{end}}',
  '{{$x := .a}}',
  '{{len .a}}',
  '{{.a | html}}',
  '{{template "x"}}',
  '{{define "x"}}{{end}}',
  '{{ /* c */}}',
  '{{/* c }}',
  '{{.a.b}}',
  '{{range .a}}{{end}}',
  '{{.n.x}}',
]) {
  test(`${template} is an error`, () => {
    assert.throws(() => render(template, '{"a": "s", "n": null}'), BuiltinError);
  });
}

test('values that JSON cannot carry are errors', () => {
  for (const values of ['{"a": {1}}', '{"a": {1: 2}}', '{1: 2}'])
    assert.throws(() => render('x', values), BuiltinError, values);
  assert.throws(() => render('x', '[1]'), BuiltinError);
});

test('nesting and output are bounded, work is paid for', () => {
  assert.throws(() => render('{{if .a}}'.repeat(5000), '{}'), BuiltinError);
  const ranges = '{{range .a}}{{range $.a}}{{end}}{{end}}';
  assert.throws(() => render(ranges, '{"a": [1]}'), BuiltinError);
  const list = `{"a": [${Array.from({ length: 400 }, () => '{"b": 1}').join(', ')}]}`;
  const big = `{{range .a}}${'x'.repeat(10_000)}{{end}}`;
  assert.throws(() => render(big, list), EvaluationHalt);
  assert.throws(
    () => call('strings.render_template', [str(big), parseTerm(list)], limited(100_000_000)),
    EvaluationHalt,
  );
});

test('any template is rendered or is an error', () => {
  const unit = fc.constantFrom(
    '{{',
    '}}',
    '.a',
    '.',
    '-',
    ' ',
    'if',
    'else',
    'end',
    'range',
    '/*',
    '*/',
    'x',
    '{{.a}}',
    '{{end}}',
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), (template) => {
      try {
        render(template, '{"a": [1]}');
      } catch (problem) {
        assert.ok(problem instanceof BuiltinError, String(problem));
      }
    }),
    { numRuns: 2000 },
  );
});
