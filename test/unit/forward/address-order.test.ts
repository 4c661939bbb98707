import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { AddressOrder } from '../../../src/io/forward/address-order.ts';

const SETTINGS = { firstMs: 10_000, longestMs: 300_000 };

test('each connection begins with the next address', () => {
  const order = new AddressOrder(SETTINGS);
  const firsts = [0, 1, 2, 3].map((nowMs) => order.order(['a', 'b', 'c'], nowMs)[0]);
  assert.deepEqual(firsts, ['a', 'b', 'c', 'a']);
});

test('an address that failed comes last for a while, and after each further failure for longer', () => {
  const order = new AddressOrder(SETTINGS);
  order.failed('b', 0);
  for (let i = 0; i < 3; i += 1) assert.equal(order.order(['a', 'b', 'c'], 9_999)[2], 'b');
  const firsts = [0, 1, 2].map(() => order.order(['a', 'b', 'c'], 10_000)[0]);
  assert.ok(firsts.includes('b'));
  order.failed('b', 10_000);
  for (let i = 0; i < 3; i += 1) assert.equal(order.order(['a', 'b', 'c'], 29_999)[2], 'b');
  order.succeeded('b');
  assert.ok([0, 1, 2].map(() => order.order(['a', 'b', 'c'], 29_999)[0]).includes('b'));
});

test('never are more than half put back, and a lone address is tried whatever happened', () => {
  const order = new AddressOrder(SETTINGS);
  for (const address of ['a', 'b', 'c']) order.failed(address, 0);
  assert.deepEqual(order.order(['a'], 1), ['a']);
  const firsts = new Set([0, 1, 2].map(() => order.order(['a', 'b', 'c'], 1)[0]));
  assert.ok(firsts.size >= 2, 'the load is not thrown on one');
});

test('property: every address once, at most half behind their turn, healthy ones before ejected ones', () => {
  const names = fc.uniqueArray(fc.constantFrom<string>('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 1 });
  const failures = fc.array(fc.constantFrom<string>('a', 'b', 'c', 'd', 'e', 'f'));
  fc.assert(
    fc.property(names, failures, fc.nat({ max: 5 }), (addresses, failed, turns) => {
      const order = new AddressOrder(SETTINGS);
      for (const address of failed) order.failed(address, 0);
      for (let i = 0; i < turns; i += 1) order.order(addresses, 1);
      const found = order.order([...addresses, ...addresses], 1);
      assert.deepEqual([...found].sort(), [...addresses].sort());
      const healthy = addresses.filter((address) => !failed.includes(address)).length;
      const back = Math.min(addresses.length - healthy, Math.floor(addresses.length / 2));
      for (const address of found.slice(found.length - back)) assert.ok(failed.includes(address));
      const front = found.slice(0, found.length - back);
      assert.equal(front.filter((address) => !failed.includes(address)).length, healthy);
    }),
  );
});
