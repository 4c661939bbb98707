import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { patternSize } from '../../../../src/core/policy/builtins/pattern-size.ts';
import { Regex } from '../../../../src/core/policy/builtins/re2.ts';
import { arr, num, str } from '../../../../src/core/policy/term.ts';
import { FREE, ask, call, limited } from '../../../support/builtin-call.ts';
import { ENTRYPOINT, loadRules } from '../../../support/policy-host.ts';

function findN(pattern: string, text: string, limit = -1): unknown {
  return JSON.parse(ask('regex.find_n', JSON.stringify(pattern), JSON.stringify(text), String(limit)));
}

function split(pattern: string, text: string): unknown {
  return JSON.parse(ask('regex.split', JSON.stringify(pattern), JSON.stringify(text)));
}

function replace(text: string, pattern: string, replacement: string): unknown {
  const result = call('regex.replace', [str(text), str(pattern), str(replacement)]);
  assert.ok(result.kind === 'string');
  return result.value;
}

test('Go Regexp.FindAllString: successive matches, an empty one not next to another', () => {
  assert.deepEqual(findN('[oa]+', 'foo1 oh boa'), ['oo', 'o', 'oa']);
  assert.deepEqual(findN('a*', 'baaab'), ['', 'aaa', '']);
  assert.deepEqual(findN('', '\u{1f600}x'), ['', '', '']);
  assert.deepEqual(findN('.', 'aaa', 2), ['a', 'a']);
  assert.deepEqual([findN('.', 'aaa', 0), findN('b', 'aaa')], [[], []]);
});

test('RE2 syntax: leftmost-first, Unicode classes, flags, POSIX classes, literals', () => {
  assert.deepEqual(findN('a|ab', 'ab'), ['a']);
  assert.deepEqual(findN(String.raw`\p{Greek}+|\PL`, 'x\u03b1\u03b2-'), ['\u03b1\u03b2', '-']);
  assert.deepEqual(findN('(?i)K', 'k\u212a'), ['k', '\u212a']);
  assert.deepEqual(findN('(?U)a+', 'aaa'), ['a', 'a', 'a']);
  assert.deepEqual(findN('[[:alpha:]]+', 'ab1\u00e9'), ['ab']);
  assert.deepEqual(findN(String.raw`\Qa.b\E+`, 'a.bb axb'), ['a.bb']);
  assert.deepEqual(findN('(?m)^.$', 'a\nb\ncc'), ['a', 'b']);
  assert.deepEqual(findN(String.raw`\bx\B`, 'xy x'), ['x']);
});

for (const pattern of [
  '(',
  'a**',
  'a{1001}',
  '(?:a{1000}){2}',
  String.raw`\1`,
  '(?=a)',
  '(?<!a)b',
  String.raw`\C`,
  '[z-a]',
  String.raw`\Z`,
  '*',
  String.raw`\pX`,
  '(?x)a',
  '\\',
]) {
  test(`RE2 refuses ${pattern}, which is undefined`, () => {
    assert.throws(() => findN(pattern, 'a'), BuiltinError);
    assert.throws(() => split(pattern, 'a'), BuiltinError);
    assert.throws(() => replace('a', pattern, ''), BuiltinError);
  });
}

test('nested and alternated deeper than RE2 allows is an error, not a stack overflow', () => {
  assert.throws(() => findN(`${'('.repeat(1001)}a${')'.repeat(1001)}`, 'a'), BuiltinError);
  assert.throws(() => findN('('.repeat(20_000), 'a'), BuiltinError);
});

test('Go Regexp.Split', () => {
  assert.deepEqual(split('a', 'banana'), ['b', 'n', 'n', '']);
  assert.deepEqual(split('z+', 'pizza'), ['pi', 'a']);
  assert.deepEqual(split('', 'ab'), ['a', 'b']);
  assert.deepEqual([split('a', ''), split('', '')], [[''], []]);
  assert.deepEqual(split('x*', 'axbxc'), ['a', 'b', 'c']);
});

test('Go Regexp.Expand: $1, ${1}, $name, $$; the longest name; a group that is not there is empty', () => {
  assert.equal(replace('-ab-axxb-', 'a(x*)b', '$1W'), '---');
  assert.equal(replace('-ab-axxb-', 'a(x*)b', '${1}W'), '-W-xxW-');
  assert.equal(replace('-ab-axxb-', 'a(?P<X>x*)b', '${X}W$X'), '-W-xxWxx-');
  assert.equal(replace('ab', '(a)(z)?', '[$2$0$1$3]'), '[aa]b');
  assert.equal(replace('a', 'a', '$$ $ $- ${ ${x ${} $01'), '$ $ $- ${ ${x ${} ');
  assert.equal(replace('abc', '', '-'), '-a-b-c-');
  assert.equal(replace('foo', '^[a-z]', 'F'), 'Foo');
});

test('Go lets several groups have one name: the first that took part is meant', () => {
  assert.equal(replace('ab', '(?P<n>x)|(?P<n>b)|(?<n>a)', '[$n]'), '[a][b]');
});

function templateMatch(template: string, text: string, open = '{', close = '}'): string {
  return ask('regex.template_match', ...[template, text, open, close].map((value) => JSON.stringify(value)));
}

test('regex.template_match: literal text around patterns, delimiters of one byte', () => {
  assert.equal(templateMatch('urn:foo:{.*}', 'urn:foo:bar:baz'), 'true');
  assert.equal(templateMatch('urn.foo', 'urnxfoo'), 'false');
  assert.equal(templateMatch('a<[0-9]{2}>b', 'a12b', '<', '>'), 'true');
  assert.equal(templateMatch('a{[0-9]{2}}b', 'a12b'), 'true');
  for (const [template, open, close] of [
    ['{', '{', '}'],
    ['}{', '{', '}'],
    ['a', '', '}'],
    ['a', '{{', '}'],
    ['a', '{', '\u00e9'],
    ['{(}', '{', '}'],
    ['{a)(b}', '{', '}'],
  ] as const) {
    assert.throws(() => templateMatch(template, 'a', open, close), BuiltinError, template);
  }
});

function globsMatch(one: string, other: string): string {
  return ask('regex.globs_match', JSON.stringify(one), JSON.stringify(other));
}

test('regex.globs_match: whether a text could match both', () => {
  assert.equal(globsMatch('a.[0-9]+z', '.b12*3z'), 'true');
  assert.equal(globsMatch('[a-z]+', '[0-9]*'), 'false');
  assert.equal(globsMatch('a.*', '.*b'), 'true');
  assert.equal(globsMatch('', ''), 'true');
  assert.equal(globsMatch('a*b*', 'a'), 'false', 'as OPA answers');
  for (const glob of ['*', ']', '[', '[a', '[-a]', '[a-]', '[b-a]', 'a**', '\\', 'a\\', '[a-b-c]']) {
    assert.throws(() => globsMatch(glob, 'a'), BuiltinError, glob);
  }
});

test('regex.globs_match: what takes OPA exponential time is polynomial, and paid for', () => {
  const letters = 'abcdefghijklmnopqrstuvwxy'.repeat(4);
  const left = str(`${Array.from(letters, (char) => `${char}*${char.repeat(5)}`).join('')}c.*`);
  const right = str(`${Array.from(letters, (char) => `${char.repeat(5)}${char}*`).join('')}d.*`);
  let paid = 0;
  const context = { ...FREE, charge: (steps: number) => void (paid += steps) };
  call('regex.globs_match', [left, right], context);
  assert.ok(paid > 1_000_000 && paid < 100_000_000, String(paid));
  assert.throws(() => call('regex.globs_match', [left, right], limited(1_000_000)), EvaluationHalt);
});

test('a pattern is paid for before it is compiled, whatever hides its size', () => {
  const large = [
    'a{1000}'.repeat(1000),
    '(?:(?:ab{9}){10}c){10}'.repeat(400),
    String.raw`\pL`.repeat(100),
    '(?i)[\\x{42}-\\x{10ffff}]',
    '(?i)[B-\u{10ffff}]',
    `[${String.raw`\PN`.repeat(200)}]`,
    String.raw`(\Q)\E){1000}`.repeat(100),
    'x'.repeat(50_000),
  ];
  for (const pattern of large) {
    assert.throws(
      () => call('regex.find_n', [str(pattern), str('a'), num(1)], limited(100_000_000)),
      EvaluationHalt,
      pattern.slice(0, 40),
    );
  }
});

test('the size that is paid for is never below the program that is compiled', () => {
  const atom = fc.constantFrom(
    'a',
    '.',
    '[a-z]',
    String.raw`\d`,
    String.raw`\pL`,
    '(a|b)',
    '(?:ab|cd)',
    String.raw`\Q(]\E`,
    '[](]',
    '^',
    String.raw`\b`,
    '(|x)',
    '(?i:k)',
    '()',
  );
  const repeat = fc.constantFrom('', '', '*', '+?', '?', '{3}', '{0,7}', '{2,}', '{20}', '{0}');
  const part = fc.tuple(atom, repeat).map((parts) => parts.join(''));
  const group = fc
    .tuple(fc.array(part, { maxLength: 5 }), fc.constantFrom('', '*', '{9}', '{2,5}'))
    .map(([parts, last]) => `(${parts.join('|')})${last}`);
  const pattern = fc.array(fc.oneof(part, group), { maxLength: 6 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(pattern, (text) => {
      assert.ok(Regex.of(text, FREE).programSize <= patternSize(text) + 4, `${text}: ${patternSize(text)}`);
    }),
    { numRuns: 2000 },
  );
});

test('matching is paid for while it goes on: patterns that are slow for any engine end in the middle', () => {
  const slow: readonly (readonly [string, string])[] = [
    ['a.*b|a', 'a'.repeat(20_000)],
    ['(.{0,300})c', 'a'.repeat(20_000)],
    ['', 'a'.repeat(100_000)],
    [String.raw`\b`, 'a '.repeat(50_000)],
    ['(x{0,30}y{0,30}){5}z', 'xy'.repeat(20_000)],
  ];
  for (const [pattern, text] of slow) {
    for (const args of [[str(pattern), str(text), num(-1)]]) {
      assert.throws(() => call('regex.find_n', args, limited(150_000_000)), EvaluationHalt, pattern);
    }
    assert.throws(() => call('regex.split', [str(pattern), str(text)], limited(150_000_000)), EvaluationHalt, pattern);
  }
});

test('a search that ended in the middle leaves nothing behind', () => {
  const args = [str('(a|b)*c|a'), str('ab'.repeat(400)), num(-1)] as const;
  const whole = call('regex.find_n', args);
  for (const budget of [400_000, 1_000_000, 2_000_000]) {
    assert.throws(() => call('regex.find_n', args, limited(budget)), EvaluationHalt);
    assert.deepEqual(call('regex.find_n', args), whole);
  }
});

function price(): number {
  let paid = 0;
  call('regex.find_n', [str('pr[i1]ce(?:d)?'), str('priced'), num(-1)], {
    ...FREE,
    charge: (steps) => void (paid += steps),
  });
  return paid;
}

test('the price is the same whether the pattern was compiled before or not', () => {
  const first = price();
  for (let round = 0; round < 100; round += 1) findN(`other${round}`, 'x');
  assert.deepEqual([price(), price()], [first, first]);
});

test('a replacement that would make a megabyte of it ends the evaluation', () => {
  const args = [str('a'.repeat(2000)), str('a'), str('b'.repeat(2000))] as const;
  assert.throws(
    () => call('regex.replace', args),
    (problem) => problem instanceof EvaluationHalt && problem.code === 'policy_memory_exceeded',
  );
});

test('joined again, the parts of a split by a literal are the text', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'b', 'ab', '\u00e9', '\u{1f600}') }),
      fc.constantFrom('a', 'b', 'ab', '\u{1f600}'),
      (text, literal) => {
        assert.equal((split(literal, text) as string[]).join(literal), text);
        assert.equal(replace(text, literal, '$0'), text);
      },
    ),
  );
});

test('find_n agrees with JavaScript where both mean the same', () => {
  const unit = fc.constantFrom('a', 'b', 'c', '\u00e9', '\u{1f600}', '\n');
  const pattern = fc.constantFrom(
    'a',
    'a+',
    '[ab]+c',
    '(?:a|b)(?:c|a)',
    '[^a]',
    '.',
    'a+?b',
    'a{2}',
    '(?:ab)*c',
    String.raw`\u{1f600}`,
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 40 }), pattern, (text, source) => {
      const expected = text.match(new RegExp(source, 'gu')) ?? [];
      assert.deepEqual(findN(source.replace('u{', 'x{'), text), [...expected]);
    }),
  );
});

test('a policy uses them, and an error is undefined', async () => {
  const policy = await loadRules(
    'd := [regex.replace(input.x, "(a)", "$1$1"), regex.split("-", input.x), regex.find_n("[a-z]", input.x, 1), [1 | regex.split("(", input.x)]]',
  );
  const evaluation = policy.query(ENTRYPOINT, { x: 'a-b' });
  assert.ok(evaluation.kind === 'defined');
  assert.deepEqual(evaluation.value, ['aa-b', ['a', 'b'], ['a'], []]);
  assert.match(evaluation.builtinErrors?.[0] ?? '', /^regex\.split: error parsing regexp/);
});

test('the wrong kind of operand is an error', () => {
  const wrong = [num(1), arr([])];
  for (const one of wrong) {
    assert.throws(() => call('regex.split', [one, str('')]), BuiltinError);
    assert.throws(
      () => call('regex.find_n', [str(''), str(''), one.kind === 'number' ? num('1.5') : one]),
      BuiltinError,
    );
    assert.throws(() => call('regex.globs_match', [str(''), one]), BuiltinError);
  }
});
