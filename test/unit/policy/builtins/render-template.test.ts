import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { parseTerm } from '../../../../src/core/policy/term-text.ts';
import { str } from '../../../../src/core/policy/term.ts';
import type { Term } from '../../../../src/core/policy/term.ts';
import { call, limited } from '../../../support/builtin-call.ts';

function render(template: string, values: string): string {
  const result = call('strings.render_template', [str(template), parseTerm(values)]);
  assert.ok(result.kind === 'string');
  return result.value;
}

function object(value: string): Term {
  return { kind: 'object', entries: [[str('a'), str(value)]] };
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

test('text/template: variables, their scopes, and assignment', () => {
  const values = '{"a": 1, "list": ["x", "y"], "map": {"k": "v"}}';
  assert.equal(render('{{$x := .a}}{{$x}}{{if $x := .list}}{{len $x}}{{end}}{{$x}}{{$.a}}', values), '1211');
  assert.equal(render('{{$x := 0}}{{range $i, $e := .list}}{{$x = $e}}{{$i}}{{$e}}{{end}}{{$x}}', values), '0x1yy');
  assert.equal(
    render('{{range $k, $v := .map}}{{$k}}={{$v}}{{end}}{{range $e := .list}}{{$e}}{{end}}', values),
    'k=vxy',
  );
  assert.equal(render('{{$x := .list}}{{range $x = .none}}{{else}}{{$x}}{{end}}', values), '<undefined>');
});

test('text/template: literals', () => {
  assert.equal(
    render(
      `{{"\\u00e9\\x41\\101"}} {{\`a\\n\`}} {{'a'}} {{0x1F}} {{1_0}} {{017}} {{1.50}} {{1e6}} {{0x1p-2}} {{true}}`,
      '{}',
    ),
    'éAA a\\n 97 31 10 15 1.5 1e+06 0.25 true',
  );
  assert.equal(render(String.raw`{{"\xff"}}`, '{}'), '\ufffd', 'a byte that is no character');
});

test('text/template: pipelines, parentheses, and functions', () => {
  const values = '{"n": 3, "s": "<é>", "l": ["a", null, {"k": 1}], "m": {"b": true, "a": [1]}}';
  for (const [template, text] of [
    ['{{.s | printf "%s-%v" "x" | len}}', '6'],
    ['{{(index .l 2).k}}{{index .m "a" 0}}{{index .s 0}}{{index .m "none"}}', '1160<undefined>'],
    [
      '{{slice .s 1 3}}{{slice .l 1 2}}{{slice .l 0 4}}{{slice (slice .l 0 1 2) 0 2}}',
      'é[<nil>][a <nil> map[k:1] <nil>][a <nil>]',
    ],
    ['{{and .n 0 .s}} {{or 0 .none .s}} {{not .none}} {{or .n .n.x}}', '0 <é> true 3'],
    [
      '{{eq .n "3"}} {{eq 1 2 1}} {{ne "a" "b"}} {{lt 1 2}} {{le "b" "a"}} {{gt 2.5 1.5}} {{ge 1 2}} {{eq .none nil}}',
      'true true true true false true false true',
    ],
    ['{{print 1 2 "a" 3 .n nil}} {{println 1 "a"}}', '1 2a33<nil> 1 a\n'],
    [
      '{{printf "%d %5v %q %#v %T" .n .m .l .m .n}}',
      '%!d(json.Number=3) map[    a:[    1]     b: true] ["a" <nil> map["k":"1"]] map[string]interface {}{"a":[]interface {}{"1"}, "b":true} json.Number',
    ],
    [
      '{{html .s "\'" .none}} {{js "<a=\'\\u2028é\'>"}} {{urlquery "a b/é"}}',
      "&lt;é&gt;&#39;&lt;no value&gt; \\u003Ca\\u003D\\'\\u2028é\\'\\u003E a+b%2F%C3%A9",
    ],
  ] as const)
    assert.equal(render(template, values), text, template);
});

test('text/template: break, continue, ranges over whole numbers, else with', () => {
  assert.equal(
    render('{{range 5}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}', '{}'),
    '02',
  );
  assert.equal(render('{{range $i := 2}}{{$i}}{{else}}x{{end}}{{range 0}}{{else}}none{{end}}', '{}'), '01none');
  assert.equal(render('{{with .a}}1{{else with .b}}{{.}}{{else}}3{{end}}', '{"b": 2}'), '2');
  assert.equal(
    render('{{range 2}}{{range 0}}{{else}}{{break}}{{end}}{{.}}{{end}}', '{}'),
    '01',
    'a break in an else ends that loop',
  );
});

test('text/template: define, template and block', () => {
  assert.equal(
    render('{{define "t"}}<{{.}}{{$}}>{{end}}{{$x := 1}}{{template "t" .a}}{{template "t"}}', '{"a": 1}'),
    '<11><<undefined><undefined>>',
  );
  assert.equal(render('{{block "b" .a}}[{{.}}]{{end}}{{template "b" 2}}', '{"a": 1}'), '[1][2]');
  assert.equal(
    render(
      '{{define "r"}}{{.v}}{{with .next}}{{template "r" .}}{{end}}{{end}}{{template "r" .}}',
      '{"v": 1, "next": {"v": 2, "next": {"v": 3}}}',
    ),
    '123',
  );
  assert.equal(
    render('{{define "e"}} {{end}}{{define "e"}}x{{end}}{{template "e"}}', '{}'),
    'x',
    'what is empty is replaced',
  );
});

for (const template of [
  '{{',
  '{{}}',
  '{{.a',
  '{{end}}',
  '{{else}}',
  '{{if .a}}',
  '{{if .a}}{{else}}{{else}}{{end}}',
  '{{if .a}}{{else with .a}}{{end}}',
  '{{if}}x{{end}}',
  '{{ /* c */}}',
  '{{/* c }}',
  '{{.a.b}}',
  '{{.a 1}}',
  '{{. 1}}',
  '{{1 | .a}}',
  '{{1 | 2}}',
  '{{range .a}}{{end}}',
  '{{range 1.5}}{{end}}',
  '{{range $i, $e := 3}}{{end}}',
  '{{.n.x}}',
  '{{range .l}}{{.x}}{{end}}',
  '{{nil}}',
  '{{$x}}',
  '{{$x = 1}}',
  '{{if 1}}{{$x := 1}}{{end}}{{$x}}',
  '{{none .a}}',
  '{{call .a}}',
  '{{len 1}}',
  '{{len}}',
  '{{index .l 1 0}}',
  '{{index .l 9}}',
  '{{index .l "0"}}',
  '{{slice .a 2 1}}',
  '{{eq 1}}',
  '{{eq 1 .q 1.0}}',
  '{{eq .l .l}}',
  '{{lt true false}}',
  '{{lt .q 1}}',
  '{{printf .q}}',
  '{{printf 1}}',
  '{{printf "%p" .l}}',
  '{{1i}}',
  '{{09}}',
  '{{9223372036854775808}}',
  String.raw`{{"\'"}}`,
  String.raw`{{'\"'}}`,
  "{{''}}",
  "{{'ab'}}",
  '{{template "x"}}',
  '{{template .a}}',
  '{{define "x"}}',
  '{{if 1}}{{define "x"}}{{end}}{{end}}',
  '{{define "x"}}1{{end}}{{define "x"}}2{{end}}',
  '{{break}}',
  '{{range 1}}{{block "b" .}}{{break}}{{end}}{{end}}',
  '{{template "template" .}}',
  '{{(1}}',
  '{{1)}}',
  '{{.a}}{{"}}',
]) {
  test(`${template} is an error`, () => {
    assert.throws(() => render(template, '{"a": "s", "n": null, "q": 1, "l": [null]}'), BuiltinError);
  });
}

test('values that JSON cannot carry are errors', () => {
  for (const char of ['\u0001', '\u007f', '\u0007', '\u{e0001}'])
    assert.throws(() => call('strings.render_template', [str('x'), object(char)]), BuiltinError, JSON.stringify(char));
  assert.deepEqual(call('strings.render_template', [str('{{.a}}'), object('\\a\\x\n\u00a0')]), str('\\a\\x\n\u00a0'));
  for (const values of ['{"a": {1}}', '{"a": {1: 2}}', '{1: 2}'])
    assert.throws(() => render('x', values), BuiltinError, values);
  assert.throws(() => render('x', '[1]'), BuiltinError);
});

test('nesting is bounded, of the text and of what it does', () => {
  for (const template of [
    '{{if .a}}'.repeat(5000),
    `{{${'('.repeat(5000)}`,
    `{{if 1}}${'{{else if 1}}'.repeat(5000)}{{end}}`,
    '{{define "r"}}{{template "r" .}}{{end}}{{template "r"}}',
    `{{${'(('.repeat(90)}1${'))'.repeat(90)}}}{{template "template"}}`,
  ])
    assert.throws(() => render(template, '{}'), BuiltinError, template.slice(0, 20));
});

test('texts are bounded, those in variables too', () => {
  const list = `{"a": [${Array.from({ length: 400 }, () => '{"b": 1}').join(', ')}]}`;
  const double = '{{$x := "0123456789"}}{{range 40}}{{$x = print $x $x}}{{end}}{{len $x}}';
  const repeated = `{{$x := printf "%9999d" 1}}{{$y := printf "${'%[1]s'.repeat(2000)}" $x}}`;
  const escaped =
    '{{$x := printf "%999999d" 1}}{{$y := urlquery (html (printf "%s" $x) "<")}}{{js (printf "%0999999d" 0) $x}}';
  for (const template of [`{{range .a}}${'x'.repeat(10_000)}{{end}}`, double, repeated, escaped])
    assert.throws(() => render(template, list), EvaluationHalt, template.slice(0, 40));
});

for (const template of [
  '{{range 1000000000}}{{end}}',
  '{{range .l}}{{range $.l}}{{range $.l}}{{end}}{{end}}{{end}}',
  '{{range 100000}}{{$x := 1}}{{end}}',
  '{{range 100000}}{{len $.s}}{{end}}',
  '{{range 100000}}{{eq $.s $.s}}{{end}}',
  '{{range 100000}}{{index $.s 1}}{{end}}',
  '{{range 1000}}{{$x := printf "%99999v" $.l}}{{end}}',
  '{{define "t"}}{{with slice . 1}}{{template "t" .}}{{template "t" .}}{{end}}{{end}}{{template "t" (slice .l 0 60)}}',
]) {
  test(`${template.slice(0, 50)} is paid for while it runs`, () => {
    const values = `{"l": [${Array.from({ length: 300 }, () => '[1]').join(', ')}], "s": "${'x'.repeat(1000)}"}`;
    assert.throws(
      () => call('strings.render_template', [str(template), parseTerm(values)], limited(100_000_000)),
      EvaluationHalt,
    );
  });
}

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
