import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { difference, readNftObjects } from '../../../src/io/programs/nft-listing.ts';

const TABLE = { table: { family: 'inet', name: 'sallyport', handle: 2 } };

function rule(handle: number, ports: readonly unknown[], verdict = 'accept'): object {
  const dport = { payload: { protocol: 'tcp', field: 'dport' } };
  const expr = [{ match: { op: '==', left: dport, right: { set: ports } } }, { [verdict]: null }];
  return { rule: { family: 'inet', table: 'sallyport', chain: 'input', handle, expr } };
}

function read(entries: readonly unknown[]): readonly string[] {
  const objects = readNftObjects(JSON.stringify({ nftables: entries }));
  assert.ok(objects.ok);
  return objects.value;
}

test('what the kernel took and what nft lists of it are the same: handles, order of elements and tables made twice do not count', () => {
  const taken = read([
    { add: { table: { ...TABLE.table, handle: 1 } } },
    { add: TABLE },
    { add: rule(5, [15_100, 15_020]) },
  ]);
  const listed = read([{ metainfo: { version: '1.0.6' } }, TABLE, rule(9, [15_020, 15_100])]);
  assert.equal(difference(taken, listed), undefined);
});

test('a rule more, a rule less, another verdict and another order are differences', () => {
  const asked = read([TABLE, rule(1, [80]), rule(2, [81], 'drop')]);
  const others = [
    [TABLE, rule(1, [80])],
    [TABLE, rule(1, [80]), rule(2, [81], 'drop'), rule(3, [82])],
    [TABLE, rule(1, [80]), rule(2, [81])],
    [TABLE, rule(2, [81], 'drop'), rule(1, [80])],
    [rule(1, [80]), rule(2, [81], 'drop')],
    [],
  ];
  for (const other of others) assert.notEqual(difference(asked, read(other)), undefined);
  assert.match(difference(asked, read([TABLE, rule(1, [80])])) ?? '', /^asked for \{"rule".*"drop".*stands nothing$/);
});

test('two rules that are alike are two', () => {
  assert.notEqual(difference(read([rule(1, [80]), rule(2, [80])]), read([rule(1, [80])])), undefined);
});

test('what is no listing is told', () => {
  for (const text of ['', '[]', 'null', '{"nftables": 1}', 'Error: x'])
    assert.equal(readNftObjects(text).ok, false, text);
});

test('property: no JSON makes it throw, and everything is equal to itself', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), (nftables) => {
      const objects = readNftObjects(JSON.stringify({ nftables }));
      assert.ok(objects.ok);
      assert.equal(difference(objects.value, objects.value), undefined);
    }),
  );
});
