import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { readRedirectPlan } from '../../../src/core/injection/redirect-plan.ts';

const PLAN = {
  uid: 61_337,
  inbound: [{ port: 8080, to: 15_100 }],
  open: [9000],
  probe: 15_020,
  metrics: 15_000,
  outbound: {
    capture: 'declared',
    ports: [80],
    to: 15_001,
    excludePorts: [5432],
    excludeCidrs: ['10.0.0.0/8', 'fd00::/8'],
  },
};

/** What is said of a plan with these keys over those of a good one. */
function refusal(change: Readonly<Record<string, unknown>>): string | undefined {
  const read = readRedirectPlan(JSON.stringify({ ...PLAN, ...change }));
  return read.ok ? undefined : read.error;
}

const problem = (text: string) => {
  const read = readRedirectPlan(text);
  return read.ok ? '' : read.error;
};

describe('readRedirectPlan', () => {
  test('a plan is read as it was written, with metrics and without', () => {
    assert.deepEqual(readRedirectPlan(JSON.stringify(PLAN)), { ok: true, value: PLAN });
    const { metrics: _, ...closed } = PLAN;
    assert.deepEqual(readRedirectPlan(JSON.stringify(closed)), { ok: true, value: closed });
  });

  const cases: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
    ['the user 0, who is everybody', { uid: 0 }, 'uid: a whole number from 1 to 2147483647 is expected'],
    ['a user as text', { uid: '61337' }, 'uid: a whole number from 1 to 2147483647 is expected'],
    ['a user with a fraction', { uid: 1.5 }, 'uid: a whole number from 1 to 2147483647 is expected'],
    ['a port beyond the last', { probe: 65_536 }, 'probe: a whole number from 1 to 65535 is expected'],
    ['a port as rules', { open: ['22 accept; drop'] }, 'open[0]: a whole number from 1 to 65535 is expected'],
    ['a list that is none', { open: {} }, 'open: a list of at most 4096 entries is expected'],
    [
      'a list without end',
      { open: Array.from({ length: 4_097 }, () => 1) },
      'open: a list of at most 4096 entries is expected',
    ],
    ['a pair without its end', { inbound: [{ port: 1 }] }, 'inbound[0]: the key to is missing'],
    [
      'a port that goes to two',
      {
        inbound: [
          { port: 1, to: 2 },
          { port: 1, to: 3 },
        ],
      },
      'inbound: a port stands twice',
    ],
    ['an unknown key', { table: 'x' }, 'the plan: the key "table" is unknown'],
    [
      'another capture',
      { outbound: { ...PLAN.outbound, capture: 'some' } },
      'outbound.capture: none, declared or all is expected',
    ],
    [
      'a network as rules',
      { outbound: { ...PLAN.outbound, excludeCidrs: ['10.0.0.0/8 accept'] } },
      'outbound.excludeCidrs[0]: a network such as 10.0.0.0/8 is expected',
    ],
    ['no outbound', { outbound: null }, 'outbound: an object is expected'],
  ];
  for (const [title, change, expected] of cases) {
    test(`${title} is refused`, () => assert.equal(refusal(change), expected));
  }

  test('each key is needed but metrics', () => {
    for (const key of ['uid', 'inbound', 'open', 'probe', 'outbound']) {
      assert.equal(refusal({ [key]: undefined }), `the plan: the key ${key} is missing`);
    }
  });

  test('a key twice, text that is no JSON, too much and too deep are refused', () => {
    assert.equal(problem('{"uid":1,"uid":2}'), 'a key stands twice in one object');
    assert.equal(problem('{'), 'not JSON');
    assert.equal(problem('[]'), 'the plan: an object is expected');
    assert.equal(problem('['.repeat(100)), 'nested deeper than 8 levels');
    assert.equal(problem(' '.repeat(131_073)), 'longer than 131072 characters');
  });

  test('no text throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => !readRedirectPlan(text).ok));
  });
});
