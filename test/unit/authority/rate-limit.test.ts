import assert from 'node:assert/strict';
import { BlockList, SocketAddress } from 'node:net';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import { createIssuingLimits, DEFAULT_ISSUING_RATES } from '../../../src/io/authority/rate-limit-issuing.ts';
import { sourceOf } from '../../../src/io/authority/rate-limit-source.ts';
import { createRateLimit } from '../../../src/io/authority/rate-limit.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';

/** How many in a row the key may take now. */
function available(limit: { take(key: string): number }, key: string): number {
  let count = 0;
  while (count < 1_000 && limit.take(key) === 0) count += 1;
  return count;
}

describe('rate limit', () => {
  test('a burst is let through, then one for each interval', () => {
    const clock = createDrivenClock();
    const limit = createRateLimit({ perSecond: 5, burst: 20, keys: 10 }, clock);
    assert.equal(available(limit, 'a'), 20);
    assert.equal(limit.take('a'), 200);
    clock.advance(150);
    assert.equal(limit.take('a'), 50);
    clock.advance(50);
    assert.equal(available(limit, 'a'), 1);
    clock.advance(60_000);
    assert.equal(available(limit, 'a'), 20);
  });

  test('a rate below one a second: once a minute', () => {
    const clock = createDrivenClock();
    const limit = createRateLimit({ perSecond: 1 / 60, burst: 1, keys: 10 }, clock);
    assert.equal(limit.take('a'), 0);
    assert.ok(Math.abs(limit.take('a') - 60_000) < 1e-6);
    clock.advance(60_000);
    assert.equal(limit.take('a'), 0);
  });

  test('what was refused costs nothing', () => {
    const clock = createDrivenClock();
    const limit = createRateLimit({ perSecond: 1, burst: 1, keys: 10 }, clock);
    assert.equal(limit.take('a'), 0);
    for (let attempt = 0; attempt < 50; attempt++) assert.equal(limit.take('a'), 1_000);
    clock.advance(1_000);
    assert.equal(limit.take('a'), 0);
  });

  test('keys do not share their allowance', () => {
    const limit = createRateLimit({ perSecond: 1, burst: 2, keys: 10 }, createDrivenClock());
    assert.equal(available(limit, 'a'), 2);
    assert.equal(available(limit, 'b'), 2);
  });

  test('what failed is charged, also where nothing is left, and the debt is bounded', () => {
    const clock = createDrivenClock();
    const limit = createRateLimit({ perSecond: 1, burst: 10, keys: 10 }, clock);
    assert.equal(limit.take('a'), 0);
    limit.charge('a', 4);
    assert.equal(available(limit, 'a'), 5);
    limit.charge('a', 4);
    assert.equal(limit.take('a'), 5_000);
    for (let attempt = 0; attempt < 1_000; attempt++) limit.charge('a', 4);
    assert.equal(limit.take('a'), 11_000);
  });

  test('the table is bounded, and keys whose allowance is whole leave first', () => {
    const clock = createDrivenClock();
    const limit = createRateLimit({ perSecond: 1, burst: 5, keys: 8 }, clock);
    for (let index = 0; index < 7; index++) limit.take(`past ${index}`);
    clock.advance(2_000);
    assert.equal(available(limit, 'held'), 5);
    assert.equal(limit.size, 8);
    limit.take('new');
    assert.equal(limit.size, 2);
    assert.equal(limit.take('held'), 1_000);
  });

  test('newcomers to a full table do not reset one who is deep in debt', () => {
    const limit = createRateLimit({ perSecond: 1, burst: 5, keys: 64 }, createDrivenClock());
    assert.equal(available(limit, 'attacker'), 5);
    for (let index = 0; index < 10_000; index++) limit.take(`address ${index}`);
    assert.ok(limit.size <= 64);
    assert.equal(limit.take('attacker'), 1_000);
  });

  test('property: in no stretch of time more is let through than the burst and the rate allow', () => {
    const steps = fc.array(fc.record({ waitMs: fc.nat(700), charge: fc.nat(3) }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 9 }), (all, burst, perSecond) => {
        const clock = createDrivenClock();
        const limit = createRateLimit({ perSecond, burst, keys: 4 }, clock);
        const passed: number[] = [];
        for (const { waitMs, charge } of all) {
          clock.advance(waitMs);
          while (limit.take('key') === 0) passed.push(clock.monotonicMs());
          limit.charge('key', charge);
        }
        for (const [first, from] of passed.entries()) {
          for (const [last, to] of passed.entries()) {
            if (last < first) continue;
            assert.ok(last - first + 1 <= burst + ((to - from) / 1_000) * perSecond + 1e-6);
          }
        }
      }),
    );
  });

  test('property: who waits as long as was said is let through', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.nat(40),
        fc.integer({ min: 1, max: 50 }),
        (burst, charge, rate) => {
          const clock = createDrivenClock();
          const limit = createRateLimit({ perSecond: rate, burst, keys: 4 }, clock);
          limit.charge('key', charge);
          while (limit.take('key') === 0);
          clock.advance(limit.take('key'));
          assert.equal(limit.take('key'), 0);
        },
      ),
    );
  });
});

describe('source of a request', () => {
  const cases: readonly (readonly [string, string | undefined, string])[] = [
    ['an IPv4 address', '192.0.2.7', '192.0.2.7'],
    ['RFC 4291 2.5.5.2: an IPv4-mapped address is the IPv4 address', '::ffff:192.0.2.7', '192.0.2.7'],
    ['the same in hexadecimal', '::FFFF:c000:207', '192.0.2.7'],
    ['an IPv6 address counts by its /64', '2001:db8:1:2:aaaa:bbbb:cccc:dddd', '2001:db8:1:2::/64'],
    ['its neighbour is the same source', '2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['another /64 is another source', '2001:db8:1:3::1', '2001:db8:1:3::/64'],
    ['leading zeros do not count', '2001:0db8:0001:0002::0001', '2001:db8:1:2::/64'],
    ['a zone does not count', 'fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['loopback', '::1', '0:0:0:0::/64'],
    ['a last part as IPv4 that is not mapped', '64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
    ['no address', undefined, 'unknown'],
    ['no address either', 'somewhere', 'unknown'],
    ['an empty one', '', 'unknown'],
  ];
  for (const [title, address, source] of cases) test(title, () => assert.equal(sourceOf(address), source));

  test('property: two IPv6 addresses are one source exactly where they share 64 bits', () => {
    const bits = fc.bigInt({ min: 1n << 120n, max: (1n << 128n) - 1n });
    fc.assert(
      fc.property(bits, fc.nat(127), (value, flipped) => {
        const [one, other] = [ipv6(value), ipv6(value ^ (1n << BigInt(flipped)))];
        const list = new BlockList();
        list.addSubnet(new SocketAddress({ address: one, family: 'ipv6' }), 64);
        const isSame = list.check(other, 'ipv6');
        assert.equal(sourceOf(one) === sourceOf(other), isSame);
        // In the short form that Node reports as well.
        const short = new SocketAddress({ address: one, family: 'ipv6' }).address;
        assert.equal(sourceOf(short), sourceOf(one));
      }),
    );
  });
});

function ipv6(value: bigint): string {
  return (value.toString(16).padStart(32, '0').match(/.{4}/g) ?? []).join(':');
}

describe('limits of an authority', () => {
  const ID = 'spiffe://example.org/a' as SpiffeId;
  const rates = { source: { perSecond: 1, burst: 2 }, id: { perSecond: 1, burst: 3 }, keys: 100 };

  test('sources by network, IDs by name, each with its own allowance', () => {
    const limits = createIssuingLimits(rates, createDrivenClock());
    const sources = ['2001:db8::1', '2001:db8::2', '2001:db8::3', '192.0.2.1', '::ffff:192.0.2.1', '192.0.2.1'];
    assert.deepEqual(
      sources.map((source) => limits.takeSource(source)),
      [true, true, false, true, true, false],
    );
    assert.deepEqual(
      [1, 2, 3, 4].map(() => limits.takeId(ID)),
      [true, true, true, false],
    );
    assert.equal(limits.takeId(`${ID}b` as SpiffeId), true);
  });

  test('sources that are no addresses do not share one', () => {
    const limits = createIssuingLimits(rates, createDrivenClock());
    const sources = ['unix', 'unix', 'unix', 'other', 'unknown'];
    assert.deepEqual(
      sources.map((source) => limits.takeSource(source)),
      [true, true, false, true, true],
    );
  });

  test('what is lent comes back', () => {
    const clock = createDrivenClock();
    const limits = createIssuingLimits(rates, clock);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => limits.takeId(ID)),
      [true, true, true, false],
    );
    clock.advance(1_000);
    assert.deepEqual(
      [1, 2].map(() => limits.takeId(ID)),
      [true, false],
    );
  });

  test('the defaults suffice for 1,800 replicas of one workload with certificates of an hour', () => {
    const clock = createDrivenClock();
    const limits = createIssuingLimits(DEFAULT_ISSUING_RATES, clock);
    for (let renewal = 0; renewal < 1_800; renewal++) {
      assert.equal(limits.takeId(ID), true);
      clock.advance(1_000);
    }
  });
});
