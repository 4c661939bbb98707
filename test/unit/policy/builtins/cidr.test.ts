import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { EvaluationHalt } from '../../../../src/core/policy/abort.ts';
import { BuiltinError } from '../../../../src/core/policy/builtin.ts';
import { arr, num, str } from '../../../../src/core/policy/term.ts';
import { ask, call, limited } from '../../../support/builtin-call.ts';

import type { Term } from '../../../../src/core/policy/term.ts';

function members(term: Term): readonly string[] {
  assert.ok(term.kind === 'set');
  return term.items.map((item) => (item.kind === 'string' ? item.value : '')).sort();
}

function expand(cidr: string): readonly string[] {
  return members(call('net.cidr_expand', [str(cidr)]));
}

function merge(...networks: readonly string[]): readonly string[] {
  return members(call('net.cidr_merge', [arr(networks.map(str))]));
}

test('net.ParseCIDR: what is a network and what is none', () => {
  for (const cidr of [
    '10.0.0.0/8',
    '10.1.2.3/08',
    '0.0.0.0/0',
    '::/0',
    '2001:db8::1/128',
    '::ffff:1.2.3.4/120',
    '1:2:3:4:5:6:1.2.3.4/1',
  ]) {
    assert.equal(ask('net.cidr_is_valid', JSON.stringify(cidr)), 'true', cidr);
  }
  for (const cidr of [
    '',
    '/',
    '10.0.0.0',
    '10.0.0/8',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/+8',
    '010.0.0.0/8',
    '256.0.0.0/8',
    '::1%eth0/64',
    '::/129',
    '1::2::3/64',
    ':::/64',
    '12345::/16',
    '::1.2.3/64',
    '10.0.0.0/8/8',
    ' ::/0',
  ]) {
    assert.equal(ask('net.cidr_is_valid', JSON.stringify(cidr)), 'false', cidr);
    assert.throws(() => expand(cidr), BuiltinError, cidr);
  }
  assert.equal(ask('net.cidr_is_valid', '8'), 'false');
});

test('net.cidr_expand: every address, those at the ends too', () => {
  assert.deepEqual(expand('192.168.1.9/30'), ['192.168.1.10', '192.168.1.11', '192.168.1.8', '192.168.1.9']);
  assert.deepEqual(expand('255.255.255.255/31'), ['255.255.255.254', '255.255.255.255']);
  assert.deepEqual(expand('2001:db8::ff/127'), ['2001:db8::fe', '2001:db8::ff']);
  assert.deepEqual(expand('::ffff:1.2.3.4/127'), ['1.2.3.4', '1.2.3.5']);
  assert.equal(expand('10.0.255.128/22').length, 1024);
});

test('net.cidr_expand: a network that is too large ends the evaluation before anything is made', () => {
  for (const cidr of ['10.0.0.0/8', '0.0.0.0/0', '::/0', '2001:db8::/64'])
    assert.throws(() => expand(cidr), EvaluationHalt, cidr);
  assert.throws(() => call('net.cidr_expand', [str('10.0.0.0/12')], limited(200_000_000)), EvaluationHalt);
});

function matches(one: string, other: string): string {
  return ask('net.cidr_contains_matches', one, other);
}

test('net.cidr_contains_matches: pairs of what the operands call their elements', () => {
  assert.equal(matches('"1.1.1.0/24"', '"1.1.1.128"'), '{["1.1.1.0/24","1.1.1.128"]}');
  assert.equal(matches('["1.1.2.0/24", "1.1.1.0/24"]', '{"x": "1.1.1.128"}'), '{[1,"x"]}');
  assert.equal(
    matches('{["1.1.0.0/16", "foo"]}', '["1.1.1.128", ["1.1.254.254/32", "y"]]'),
    '{[["1.1.0.0/16","foo"],0],[["1.1.0.0/16","foo"],1]}',
  );
  assert.equal(matches('"::/80"', '"::/80"'), '{["::/80","::/80"]}');
  assert.equal(matches('"10.0.0.0/8"', '"10.0.0.0/7"'), 'set()');
  assert.equal(matches('"::/0"', '"10.0.0.1"'), 'set()');
  assert.equal(matches('"10.0.0.0/8"', '"::ffff:10.0.0.1"'), '{["10.0.0.0/8","::ffff:10.0.0.1"]}');
  assert.equal(matches('["bad"]', '[]'), 'set()', 'nothing is compared');
  for (const [one, other] of [
    ['"bad"', '"1.1.1.1"'],
    ['"1.1.1.0/24"', '"bad"'],
    ['[1]', '[]'],
    ['[[]]', '[]'],
    ['"1.1.1.0/24"', '[[1]]'],
  ] as const) {
    assert.throws(() => matches(one, other), BuiltinError, `${one} ${other}`);
  }
});

test('every pair is paid for', () => {
  const many = arr(Array.from({ length: 300 }, () => str('10.0.0.0/8')));
  assert.throws(() => call('net.cidr_contains_matches', [many, many], limited(200_000_000)), EvaluationHalt);
});

test('net.cidr_merge: neighbours and parts are one, an address is the network of its class', () => {
  assert.deepEqual(merge('192.0.128.0/24', '192.0.129.0/24'), ['192.0.128.0/23']);
  assert.deepEqual(merge('192.0.129.0/24', '192.0.130.0/24'), ['192.0.129.0/24', '192.0.130.0/24'].sort());
  assert.deepEqual(merge('10.0.0.0/8', '10.1.0.0/16'), ['10.0.0.0/8']);
  assert.deepEqual(merge('0.0.0.0/1', '128.0.0.0/1', '::/0'), ['::/0']);
  assert.deepEqual(merge('2601:600:8a80:207e::/64', '2601:600:8a80:207f::/64'), ['2601:600:8a80:207e::/63']);
  assert.deepEqual(merge('10.1.2.3', '172.16.1.2', '193.1.1.1'), ['10.1.2.3/8', '172.16.1.2/16', '193.1.1.1/24']);
  assert.deepEqual(merge(), []);
  for (const network of ['::1', 'bad', '', '::ffff:1.2.3.0/120'])
    assert.throws(() => merge(network), BuiltinError, network);
  assert.throws(() => call('net.cidr_merge', [str('10.0.0.0/8')]), BuiltinError);
  assert.throws(() => call('net.cidr_merge', [arr([num(1)])]), BuiltinError);
});

test('merging keeps exactly the addresses that there were', () => {
  const network = fc
    .tuple(fc.nat(63), fc.integer({ min: 27, max: 32 }))
    .map(([last, prefix]) => `10.0.0.${last}/${prefix}`);
  fc.assert(
    fc.property(fc.array(network, { minLength: 1, maxLength: 8 }), (networks) => {
      const before = new Set(networks.flatMap(expand));
      const merged = merge(...networks);
      const after = merged.flatMap(expand);
      assert.deepEqual(new Set(after), before);
      assert.equal(after.length, before.size, 'no address is in two of them');
    }),
  );
});
