import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { regoText } from '../../src/core/policy/builtins/go-value.ts';
import { parseTerm } from '../../src/core/policy/term-text.ts';
import { str } from '../../src/core/policy/term.ts';
import { ourAnswer } from '../support/builtin-call.ts';
import { needsNativeOpa } from '../support/native-opa.ts';
import { opaAnswers } from '../support/opa-calls.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SEED = 20_261_122;
const NAME = 'strings.render_template';

/** A byte that belongs to no character is U+FFFD here, and in OPA once its answer is JSON. */
function repaired(answer: string): string {
  return answer.replaceAll(/\\\\|\\x[89a-f][0-9a-f]/g, (found) => (found.startsWith('\\x') ? '\ufffd' : found));
}

const VALUES = [
  '{"n": 1, "f": 1.50, "s": "b<é>", "t": true, "z": null, "l": ["a", 2, null, {"k": "v"}], "m": {"b": [1, {"c": 3}], "a": "x"}, "e": ""}',
  '{"n": 20, "f": 1e3, "s": "1", "t": false, "l": [], "m": {}, "e": [["p", "q"], ["r"]]}',
  '{"s": "q\'\\"&\\\\ \\n\\u2028", "l": [[1, 2, 3], {"k": [true]}, "xyz"], "m": {"k": {"a": null}}, "z": 0}',
].map(parseTerm);

/** Commands, pipelines and blocks as a grammar; what does not fit its place is wanted too. */
const { action, blocks } = fc.letrec<{ operand: string; action: string; command: string; blocks: string }>((tie) => ({
  operand: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(
      '.',
      '.n',
      '.s',
      '.l',
      '.m',
      '.m.k',
      '.z',
      '.e',
      '.f',
      '.t',
      '$',
      '$.n',
      '$x',
      '$x.k',
      '$y',
      'nil',
      'true',
      'false',
    ),
    fc.constantFrom(
      '0',
      '1',
      '-2',
      '3',
      '1.5',
      '1e3',
      '0x1F',
      "'a'",
      String.raw`'\n'`,
      '1_0',
      '017',
      '"a"',
      '"k"',
      '`r`',
      String.raw`"\u00e9\x41"`,
      '"1"',
    ),
    tie('command').map((text) => `(${text})`),
    tie('command').map((text) => `(${text}).k`),
  ),
  command: fc.oneof(
    { maxDepth: 3 },
    tie('operand'),
    fc
      .tuple(
        fc.constantFrom(
          'and',
          'or',
          'not',
          'len',
          'index',
          'slice',
          'print',
          'println',
          'html',
          'js',
          'urlquery',
          'eq',
          'ne',
          'lt',
          'le',
          'gt',
          'ge',
          'call',
          'none',
        ),
        fc.array(tie('operand'), { maxLength: 3 }),
      )
      .map(([name, operands]) => [name, ...operands].join(' ')),
    fc
      .constantFrom('eq', 'lt', 'ge')
      .chain((name) => fc.tuple(tie('operand'), tie('operand')).map(([a, b]) => `${name} ${a} ${b}`)),
    fc
      .tuple(
        fc.constantFrom(
          '%v',
          '%d',
          '%s',
          '%q',
          '%5v',
          '%#v',
          '%T',
          '%x',
          '%-4s|',
          '%05d',
          '%t',
          '%.2f',
          '%v %v',
          '%[2]v',
          '%*d',
          '%+v',
          '%c',
          '%U',
          '%w',
          '%%',
        ),
        fc.array(tie('operand'), { maxLength: 2 }),
      )
      .map(([format, operands]) => ['printf', `"${format}"`, ...operands].join(' ')),
    fc
      .tuple(
        tie('command'),
        fc.constantFrom('html', 'len', 'print 1', 'printf "%v"', 'index .m', 'eq "a"', 'and true', 'or', 'not', '.n'),
      )
      .map(([left, right]) => `${left} | ${right}`),
  ),
  action: fc.oneof(
    tie('command').map((text) => `{{${text}}}`),
    tie('command').map((text) => `{{- ${text} -}}`),
    tie('command').map((text) => `{{$x := ${text}}}`),
    tie('command').map((text) => `{{$x = ${text}}}`),
    fc.constantFrom(
      '{{template "d" .}}',
      '{{template "d"}}',
      '{{template "d" $x}}',
      '{{template "none"}}',
      '{{/* c */}}',
      '{{break}}',
      '{{continue}}',
      ' x\n',
    ),
  ),
  blocks: fc.oneof(
    { maxDepth: 3 },
    tie('action'),
    fc.tuple(tie('blocks'), tie('blocks')).map(([a, b]) => a + b),
    fc
      .tuple(
        fc.constantFrom(
          'if',
          'with',
          'range',
          'range $x :=',
          'range $i, $x :=',
          'range $x =',
          'with $x :=',
          'if $x :=',
          'block "b"',
        ),
        tie('command'),
        tie('blocks'),
      )
      .map(([word, value, body]) => `{{${word} ${value}}}${body}{{end}}`),
    fc
      .tuple(
        fc.constantFrom('if', 'with', 'range', 'range $i, $x :='),
        tie('command'),
        tie('blocks'),
        fc.constantFrom('else', 'else if .n', 'else with .m'),
        tie('blocks'),
      )
      .map(([word, value, body, other, rest]) => `{{${word} ${value}}}${body}{{${other}}}${rest}{{end}}`),
    fc
      .tuple(fc.constantFrom('.l', '.m', '$.l', '.e', '3'), tie('blocks'))
      .map(([list, body]) => `{{range $i, $x := ${list}}}{{$i}}{{$x}}${body}{{end}}`),
  ),
}));

/** With a variable, a template of its own, and now and then one that is empty or defined twice. */
const whole = fc
  .tuple(
    fc.constantFrom('', '{{$x := .n}}', '{{$x := .l}}{{$y := 2}}', '{{$x := .m}}{{$y := "a"}}'),
    fc.constantFrom(
      '',
      '{{define "d"}}<{{.}}>{{end}}',
      '{{define "d"}} {{end}}{{define "d"}}{{len .}}{{end}}',
      '{{define "d"}}{{if .k}}{{template "d" .k}}{{end}}.{{end}}',
    ),
    blocks,
  )
  .map((parts) => parts.join(''));

const soup = fc
  .array(
    fc.constantFrom(
      '{{',
      '}}',
      ' ',
      '.a',
      '.',
      '$',
      '$x',
      ':=',
      '=',
      '|',
      ',',
      '(',
      ')',
      '"s"',
      '`',
      "'",
      "'a'",
      '1',
      '-',
      '+',
      'e',
      'i',
      '_',
      '0x',
      'if',
      'else',
      'end',
      'range',
      'with',
      'define',
      'template',
      'block',
      'break',
      'nil',
      'true',
      'print',
      'len',
      '/*',
      '*/',
      '{{- ',
      ' -}}',
      '{{.n}}',
      '{{end}}',
      '{{if 1}}',
      '\n',
      '\\',
      '&',
    ),
    { maxLength: 10 },
  )
  .map((parts) => parts.join(''));
const numberSoup = fc
  .array(
    fc.constantFrom(
      '0',
      '1',
      '8',
      '9',
      '.',
      '_',
      'e',
      'E',
      'x',
      'p',
      'b',
      'o',
      '+',
      '-',
      'f',
      '00',
      '1000000000',
      '63',
    ),
    { minLength: 1, maxLength: 7 },
  )
  .map((parts) => `{{printf "%T %v" ${parts.join('')}}}`);
const quoted = fc
  .tuple(
    fc.constantFrom('"', "'", '`'),
    fc.array(
      fc.constantFrom(
        'a',
        'é',
        '\\',
        'n',
        'x',
        '4',
        '1',
        'u',
        '0',
        '0041',
        'U',
        "'",
        '"',
        '0010ffff',
        'd800',
        '377',
        ' ',
        '400',
      ),
      { maxLength: 5 },
    ),
  )
  .map(([quote, parts]) => `{{print ${quote}${parts.join('')}${quote}}}`);

for (const [title, templates, count] of [
  ['actions', action, 2000],
  ['blocks, variables and templates of their own', whole, 3000],
  ['anything', soup, 2000],
  ['numbers', numberSoup, 1500],
  ['strings and characters', quoted, 1500],
] as const) {
  test(`${NAME} answers as OPA does: ${title}`, needsNativeOpa, async (context) => {
    const rows = fc.sample(fc.tuple(templates, fc.constantFrom(...VALUES)), { numRuns: count, seed: SEED });
    const calls = rows.map(([template, values]) => ({ name: NAME, args: [str(template), values] }));
    const theirs = (await opaAnswers(await tempFolder(context), calls)).map(repaired);
    const differing = calls.flatMap((one, index) => {
      const mine = ourAnswer(one);
      return mine === theirs[index] ? [] : [{ call: one.args.map(regoText).join(', '), theirs: theirs[index], mine }];
    });
    const answered = theirs.filter((answer) => answer !== '[]').length;
    context.diagnostic(`${calls.length - differing.length} of ${calls.length} answers agree, ${answered} are texts`);
    assert.ok(answered > calls.length / 20, 'templates that mean something are among them');
    assert.deepEqual(differing.slice(0, 5), []);
  });
}
