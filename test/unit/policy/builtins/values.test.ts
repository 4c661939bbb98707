import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { num, str } from '../../../../src/core/policy/term.ts';
import { FREE, ask, call, limited } from '../../../support/builtin-call.ts';
import { ENTRYPOINT, loadRules } from '../../../support/policy-host.ts';

/** An answer as JavaScript has it, asked with texts. */
function answer(name: string, ...texts: readonly string[]): unknown {
  return JSON.parse(ask(name, ...texts.map((text) => JSON.stringify(text))));
}

test('SemVer 11: precedence', () => {
  const order = [
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.0.1',
    '1.2.0',
    'v2.0.0',
  ];
  for (const [at, left] of order.entries()) {
    for (const [other, right] of order.entries())
      assert.equal(answer('semver.compare', left, right), Math.sign(at - other), `${left} ${right}`);
  }
  assert.equal(answer('semver.compare', '1.0.0+a', '1.0.0+b'), 0);
});

test('SemVer 9: what is no version is not valid, and cannot be compared', () => {
  for (const text of [
    '',
    '1',
    '1.0',
    '1.0.0.0',
    '01.0.0',
    '1.0.0-',
    '1.0.0-01',
    '1.0.0-a..b',
    '1.0.0+',
    '1.0.0-\u00e9',
    'V1.0.0',
    ' 1.0.0',
    '1.0.0\n',
    '9223372036854775808.0.0',
    '+1.0.0',
  ]) {
    assert.equal(answer('semver.is_valid', text), false, text);
    assert.throws(() => answer('semver.compare', text, '1.0.0'), BuiltinError, text);
    assert.throws(() => answer('semver.compare', '1.0.0', text), BuiltinError, text);
  }
  assert.equal(answer('semver.is_valid', 'v1.0.0-0a.-+01'), true);
  assert.equal(ask('semver.is_valid', '1'), 'false');
});

test('identifiers beyond 63 bits, on which OPA does not come to an end, are alike', () => {
  assert.equal(answer('semver.compare', '1.0.0-9223372036854775808', '1.0.0-9223372036854775809'), 0);
});

function compare(left: string, right: string): number {
  return Number(answer('semver.compare', left, right));
}

test('semver.compare is an order', () => {
  const part = fc.constantFrom('a', 'b', '1', '2', '10', '-', 'rc');
  const version = fc
    .tuple(fc.nat(2), fc.array(part, { maxLength: 3 }))
    .map(([patch, parts]) => `1.0.${patch}${parts.length > 0 ? '-' : ''}${parts.join('.')}`);
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      assert.equal(compare(a, b) + compare(b, a), 0);
      if (compare(a, b) <= 0 && compare(b, c) <= 0) assert.ok(compare(a, c) <= 0);
      assert.equal(compare(a, b) === 0, a === b);
    }),
  );
});

function number(name: string, text: string): string {
  return ask(name, JSON.stringify(text));
}

test('units.parse: m is a thousandth, M a million; other letters in any case; exact, or ten places', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['10', '10'],
    ['10K', '10000'],
    ['10KI', '10240'],
    ['10k', '10000'],
    ['1mI', '1048576'],
    ['1.5Gi', '1610612736'],
    ['200m', '0.2000000000'],
    ['1e3', '1000'],
    ['1E', '1000000000000000000'],
    ['1e', '1000000000000000000'],
    ['1e1E', '10000000000000000000'],
    ['0.00000000005', '0.0000000001'],
    ['-0.00000000004', '-0.0000000000'],
    ['-1.5', '-1.5000000000'],
    ['+2', '2'],
    ['"1"k', '1000'],
    ['-0', '0'],
  ];
  for (const [text, value] of cases) assert.equal(number('units.parse', text), value, text);
});

test('units.parse_bytes: whole bytes, counted with 64 bits', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['10', '10'],
    ['10KB', '10000'],
    ['10KiB', '10240'],
    ['10M', '10000000'],
    ['1.5kib', '1536'],
    ['0.1', '0'],
    ['1.9', '1'],
    ['-1.9', '-1'],
    ['1EiB', '1152921504606846976'],
    ['18446744073709551617', '18446744073709551616'],
    ['1e30', '1000000000000000000024696061952'],
  ];
  for (const [text, value] of cases) assert.equal(number('units.parse_bytes', text), value, text);
});

test('amounts that are none are errors', () => {
  for (const text of [
    '',
    'k',
    '.',
    '1.2.3',
    '1 k',
    '1x',
    '--1',
    '1kk',
    '1e1234567',
    '1_0',
    '0x1',
    '\u0661',
    '1\u212a',
    '1e1e1',
  ]) {
    assert.throws(() => number('units.parse', text), BuiltinError, text);
    if (text !== '1\u212a') assert.throws(() => number('units.parse_bytes', text), BuiltinError, text);
  }
  assert.throws(() => number('units.parse_bytes', '1b'), BuiltinError);
  assert.throws(() => call('units.parse', [num(1)]), BuiltinError);
});

test('an exponent is paid for before its digits are written', () => {
  for (const name of ['units.parse', 'units.parse_bytes']) {
    for (const text of ['1e999999', '1e-999999', '1e999999Ei'])
      assert.throws(() => call(name, [str(text)], limited(200_000_000)), EvaluationHalt, text);
  }
});

test('units.parse and parse_bytes agree on whole numbers below 2^53', () => {
  const unit = fc.constantFrom('', 'k', 'ki', 'M', 'Mi', 'g', 'Gi');
  fc.assert(
    fc.property(fc.nat(1_000_000), unit, (amount, text) =>
      assert.equal(number('units.parse', `${amount}${text}`), number('units.parse_bytes', `${amount}${text}`)),
    ),
  );
});

test('RFC 9562: version and variant, and what versions 1 and 2 carry', () => {
  assert.deepEqual(answer('uuid.parse', '00000000-0000-4000-8000-000000000000'), { version: 4, variant: 'RFC4122' });
  assert.deepEqual(answer('uuid.parse', '3bc4b1a0-dbb2-11ea-87d0-0242ac130003'), {
    version: 1,
    variant: 'RFC4122',
    time: Number('1597136914162934400'),
    nodeid: '02-42-ac-13-00-03',
    macvariables: 'local:unicast',
    clocksequence: 2000,
  });
  assert.deepEqual(answer('uuid.parse', '000003e8-48b9-21ee-b200-325096b39f47'), {
    version: 2,
    variant: 'RFC4122',
    time: Number('1693566990121469600'),
    nodeid: '32-50-96-b3-9f-47',
    macvariables: 'local:unicast',
    clocksequence: 12_800,
    id: 1000,
    domain: 'Person',
  });
  assert.deepEqual(answer('uuid.parse', 'ffffffff-ffff-ffff-ffff-ffffffffffff'), { version: 15, variant: 'Future' });
});

test('a UUID may stand in braces or be a URN; anything else is undefined', () => {
  const uuid = '12345678-1234-4234-8234-123456789abc';
  for (const text of [
    uuid,
    uuid.toUpperCase(),
    `{${uuid}}`,
    `urn:uuid:${uuid}`,
    `URN:uuid:${uuid}`,
    uuid.replaceAll('-', ''),
    `(${uuid}]`,
  ]) {
    assert.deepEqual(answer('uuid.parse', text), { version: 4, variant: 'RFC4122' }, text);
  }
  for (const text of [
    '',
    uuid.slice(1),
    `{${uuid}`,
    `${uuid}}`,
    `urn:uuid:{${uuid}}`,
    uuid.replace('8-', '8x'),
    uuid.replace('a', 'g'),
    `\u00e9${uuid}`,
    `\u00e9${uuid}\u00e9`,
    `uri:uuid:${uuid}`,
  ]) {
    assert.throws(() => answer('uuid.parse', text), BuiltinError, text);
  }
});

test('numbers.range_step: up or down, both ends, any notation of whole numbers', () => {
  assert.equal(ask('numbers.range_step', '1', '10', '3'), '[1,4,7,10]');
  assert.equal(ask('numbers.range_step', '10', '1', '4'), '[10,6,2]');
  assert.equal(ask('numbers.range_step', '5', '5', '9'), '[5]');
  assert.equal(ask('numbers.range_step', '1e1', '12.0', '1'), '[10,11,12]');
  assert.equal(
    ask('numbers.range_step', '20000000000000000000', '20000000000000000002', '2'),
    '[20000000000000000000,20000000000000000002]',
  );
  for (const operands of [
    ['1', '2', '0'],
    ['1', '2', '-1'],
    ['1.5', '2', '1'],
    ['1', '"2"', '1'],
  ] as const) {
    assert.throws(() => ask('numbers.range_step', ...operands), BuiltinError);
  }
});

test('a range is bounded before it is made', () => {
  assert.throws(() => ask('numbers.range_step', '0', '1e30', '1'), EvaluationHalt);
  assert.throws(() => call('numbers.range_step', [num(0), num(100_000), num(1)], limited(100_000_000)), EvaluationHalt);
});

test('rand.intn is within its bound, 0 for 0, and never another within a decision', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer(), fc.uint8Array({ minLength: 24, maxLength: 24 }), (label, bound, bytes) => {
      const value = call('rand.intn', [str(label), num(bound)], { ...FREE, random: () => bytes });
      assert.ok(value.kind === 'number');
      assert.ok(Number(value.text) >= 0 && Number(value.text) < Math.max(Math.abs(bound), 1));
    }),
  );
  assert.equal(ask('rand.intn', '"x"', '0'), '0');
  for (const bound of ['1.5', '1e2', '-9223372036854775808', '"1"'])
    assert.throws(() => ask('rand.intn', '"x"', bound), BuiltinError);
});

test('random answers are constant within a decision, differ between decisions, are recorded and replayed', async () => {
  const policy = await loadRules(
    'd := {"n": [rand.intn("a", 1000000007), rand.intn("a", -1000000007), rand.intn("b", 1000000007)], "u": [uuid.rfc4122("a"), uuid.rfc4122("a"), uuid.rfc4122("b")]}',
  );
  assert.equal(policy.deterministic, false);
  const first = policy.query(ENTRYPOINT, {});
  assert.ok(first.kind === 'defined');
  const { n, u } = first.value as { n: readonly number[]; u: readonly string[] };
  assert.deepEqual([n[0] === n[1], n[0] === n[2], u[0] === u[1], u[0] === u[2]], [true, false, true, false]);
  for (const uuid of u) assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(first.ndBuiltinCache, {
    'rand.intn': { '["a",1000000007]': n[0], '["a",-1000000007]': n[0], '["b",1000000007]': n[2] },
    'uuid.rfc4122': { '["a"]': u[0], '["b"]': u[2] },
  });
  const second = policy.query(ENTRYPOINT, {});
  assert.ok(second.kind === 'defined');
  assert.notDeepEqual(second.value, first.value);
  assert.deepEqual(policy.query(ENTRYPOINT, {}, first.ndBuiltinCache), first);
});
