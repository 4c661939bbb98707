import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { fault } from '../../../src/core/model/faults.ts';
import { DEFAULT_LIMITS } from '../../../src/core/model/limits.ts';
import type { Evaluation } from '../../../src/core/model/policy.ts';
import type { DecisionRecord } from '../../../src/core/model/record.ts';
import { FakeExchange, FakeRawExchange, grpcHead, http1Head } from '../../support/fake-exchange.ts';
import { FakeGateWorld, FakePolicy } from '../../support/fake-gate-world.ts';

type Seen = NonNullable<DecisionRecord['sallyport']['candidate']>;

function post(body: string, announced = body.length): FakeExchange {
  const fields = ['Content-Type', 'application/json', 'Content-Length', String(announced)];
  return new FakeExchange(http1Head('POST', '/a', fields), { body });
}

function plain(): FakeExchange {
  return new FakeExchange(http1Head('GET', '/a'));
}

/** A policy whose evaluation does this. */
function doing(evaluate: () => Evaluation): FakePolicy {
  return new FakePolicy(undefined, {}, 'c').answering(evaluate);
}

function seen(world: FakeGateWorld): Seen | undefined {
  assert.equal(world.journal.records.length, 1);
  return world.journal.records[0]?.sallyport.candidate;
}

/** What one exchange came to, as the caller and the agent see it. */
function wire(world: FakeGateWorld, exchange: FakeExchange): unknown {
  const { answer } = exchange;
  return { answer, permits: world.forwarder.permits.map(({ request }) => request), observed: world.observed };
}

describe('a candidate', () => {
  test('that agrees: its revision and verdict are in the record', () => {
    const world = new FakeGateWorld();
    world.candidate = new FakePolicy({ allowed: true, reasons: ['fine'] }, {}, 'c');
    world.gate.exchange(plain());
    assert.deepEqual(seen(world), { revision: 'c', verdict: 'allow', reasons: ['fine'], differs: false });
  });

  test('that would refuse what passes', () => {
    const world = new FakeGateWorld();
    world.candidate = new FakePolicy({ allowed: false, reasons: ['too late'] }, {}, 'c');
    world.gate.exchange(plain());
    const record = world.journal.records[0]?.sallyport;
    assert.equal(record?.verdict, 'allow');
    const { detail, ...rest } = record.candidate ?? assert.fail('no candidate');
    assert.equal(typeof detail, 'string');
    assert.deepEqual(rest, {
      revision: 'c',
      verdict: 'deny',
      fault: 'policy_denied',
      reasons: ['too late'],
      differs: true,
    });
  });

  test('that would let through what is refused', () => {
    const world = new FakeGateWorld();
    world.policy = new FakePolicy(false);
    world.candidate = new FakePolicy(true, {}, 'c');
    const exchange = plain();
    world.gate.exchange(exchange);
    assert.equal(exchange.answer?.status, 403);
    assert.deepEqual(seen(world), { revision: 'c', verdict: 'allow', differs: true });
  });

  test('none: the record says nothing of one', () => {
    const world = new FakeGateWorld();
    world.gate.exchange(plain());
    assert.ok(!('candidate' in (world.journal.records[0]?.sallyport ?? {})));
  });

  test('what is refused before any policy is asked is not put before it either', () => {
    const world = new FakeGateWorld();
    const candidate = new FakePolicy(true, {}, 'c');
    world.candidate = candidate;
    world.gate.exchange(new FakeExchange(http1Head('GET', '/a/%2e%2e/b')));
    assert.equal(seen(world), undefined);
    assert.equal(candidate.asked.length, 0);
  });

  test('without a policy in force it is asked, and still nothing is let through', () => {
    const world = new FakeGateWorld();
    world.policy = undefined;
    world.candidate = new FakePolicy(true, {}, 'c');
    const exchange = plain();
    world.gate.exchange(exchange);
    assert.equal(exchange.answer?.status, 503);
    assert.deepEqual(seen(world), { revision: 'c', verdict: 'allow', differs: true });
  });

  test('in shadow mode it differs from what the policy in force would have done', () => {
    const world = new FakeGateWorld({ mode: 'shadow' });
    world.policy = new FakePolicy(false);
    world.candidate = new FakePolicy(false, {}, 'c');
    world.gate.exchange(plain());
    assert.equal(world.journal.records[0]?.sallyport.verdict, 'would-deny');
    assert.equal(seen(world)?.differs, false);
  });

  test('a TCP connection is put before it too', () => {
    const world = new FakeGateWorld();
    world.candidate = new FakePolicy(false, {}, 'c');
    const exchange = new FakeRawExchange();
    world.gate.raw(exchange);
    assert.equal(exchange.refused, false);
    assert.equal(world.forwarder.permits.length, 1);
    assert.deepEqual([seen(world)?.verdict, seen(world)?.differs], ['deny', true]);
  });

  test('it is asked when the answer is under way, not before', () => {
    const world = new FakeGateWorld();
    world.forwarder.hold = true;
    const forwardedBefore: number[] = [];
    world.candidate = doing(() => {
      forwardedBefore.push(world.forwarder.permits.length);
      return { kind: 'defined', value: true, steps: 1, cached: false };
    });
    world.gate.exchange(plain());
    assert.deepEqual(forwardedBefore, [1]);
    world.forwarder.finish[0]?.({ kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 0 });
    assert.deepEqual(forwardedBefore, [1], 'once');
  });
});

describe('a hostile candidate changes nothing (promise 5)', () => {
  const hostile: Readonly<Record<string, readonly [FakePolicy, string]>> = {
    throws: [
      doing(() => {
        throw new Error('boom');
      }),
      'policy_failed',
    ],
    'never ends, but for its budget': [
      doing(() => ({ kind: 'failed', fault: fault('policy_budget_exceeded', ''), steps: 9 })),
      'policy_budget_exceeded',
    ],
    traps: [doing(() => ({ kind: 'failed', fault: fault('policy_failed', 'unreachable'), steps: 1 })), 'policy_failed'],
    'says nothing': [doing(() => ({ kind: 'undefined', steps: 1, cached: false })), 'policy_undefined'],
    'answers nonsense': [new FakePolicy({ allowed: 'yes' }, {}, 'c'), 'policy_result_invalid'],
    'wants what cannot be done': [
      new FakePolicy({ allowed: true, headers: { 'bad name': 'x' } }, {}, 'c'),
      'policy_obligation_invalid',
    ],
  };
  for (const [what, [candidate, code]] of Object.entries(hostile)) {
    test(`one that ${what}`, () => {
      const world = new FakeGateWorld();
      world.candidate = candidate;
      const exchange = plain();
      world.gate.exchange(exchange);
      assert.equal(world.forwarder.permits.length, 1);
      assert.equal(exchange.answer, undefined);
      assert.deepEqual([seen(world)?.verdict, seen(world)?.fault], ['deny', code]);
      assert.deepEqual(world.observed, ['allow -']);
    });
  }

  test('its obligations are not carried out', () => {
    const world = new FakeGateWorld();
    world.candidate = new FakePolicy({
      allowed: true,
      headers: { 'x-a': 'b' },
      response_headers_to_add: { 'x-c': 'd' },
    });
    world.gate.exchange(plain());
    const request = world.forwarder.permits[0]?.request;
    assert.ok(!request?.headers.includes('x-a'));
    assert.deepEqual(request?.responseHeadersToAdd, []);
  });

  test('it does not cut what is open when it changes', () => {
    const world = new FakeGateWorld();
    world.forwarder.hold = true;
    const exchange = plain();
    world.gate.exchange(exchange);
    world.candidate = new FakePolicy(false, {}, 'c2');
    world.gate.rejudge();
    assert.equal(exchange.cutBy, undefined);
  });

  test('reasons stand in no record where somebody masks records', () => {
    const masking = Object.assign(new FakePolicy({ allowed: true, reasons: ['a secret'] }, {}, 'c'), {
      mask: (): Evaluation => ({ kind: 'undefined', steps: 0, cached: false }),
    });
    for (const which of ['policy', 'candidate'] as const) {
      const world = new FakeGateWorld();
      world.candidate = new FakePolicy({ allowed: true, reasons: ['a secret'] }, {}, 'c');
      world[which] = masking;
      world.gate.exchange(plain());
      assert.equal(seen(world)?.verdict, 'allow');
      assert.equal(seen(world)?.reasons, undefined);
    }
  });
});

describe('a body that only the candidate reads', () => {
  test('is heard as it goes by, never held', () => {
    const world = new FakeGateWorld();
    const candidate = new FakePolicy(true, { parsedBody: true }, 'c');
    world.candidate = candidate;
    const exchange = post('{"a": 1}');
    world.gate.exchange(exchange);
    assert.deepEqual([exchange.collected, exchange.overheard], [0, 1]);
    assert.deepEqual(candidate.asked[0]?.parsed_body, { a: 1 });
    assert.equal(seen(world)?.verdict, 'allow');
  });

  test('the request is forwarded before a byte of it came, and the verdict is there at the end', () => {
    const world = new FakeGateWorld();
    world.forwarder.hold = true;
    world.candidate = new FakePolicy(false, { parsedBody: true }, 'c');
    const exchange = post('{"a": 1}');
    exchange.silent = true;
    world.gate.exchange(exchange);
    assert.equal(world.forwarder.permits.length, 1);
    exchange.passBody?.();
    world.forwarder.finish[0]?.({ kind: 'forwarded', status: 200, bytesIn: 8, bytesOut: 0 });
    assert.deepEqual([seen(world)?.verdict, seen(world)?.differs], ['deny', true]);
  });

  test('one that never comes by whole leaves the verdict unknown, and that is no difference', () => {
    const world = new FakeGateWorld();
    const candidate = new FakePolicy(false, { parsedBody: true }, 'c');
    world.candidate = candidate;
    const exchange = post('{"a": 1}');
    exchange.silent = true;
    world.gate.exchange(exchange);
    assert.deepEqual(seen(world), { revision: 'c', verdict: 'unknown', differs: false });
    exchange.passBody?.();
    assert.equal(world.journal.records.length, 1, 'what comes too late is too late');
  });

  test('too large, or malformed: the request goes on unharmed, and the candidate says what it would have said', () => {
    const limits = { ...DEFAULT_LIMITS, inspectedBodyBytes: 8 };
    for (const [body, code] of [
      ['{"a": "too long"}', 'body_too_large'],
      ['{"a": }', 'body_malformed'],
    ] as const) {
      const world = new FakeGateWorld({ limits });
      const candidate = new FakePolicy(true, { parsedBody: true }, 'c');
      world.candidate = candidate;
      world.gate.exchange(post(body));
      assert.equal(world.forwarder.permits.length, 1);
      assert.deepEqual([seen(world)?.verdict, seen(world)?.fault, seen(world)?.differs], ['deny', code, true]);
      assert.equal(candidate.asked.length, 0);
    }
  });

  test('a body that the policy in force reads too is collected once, for both', () => {
    const world = new FakeGateWorld();
    const [policy, candidate] = [
      new FakePolicy(true, { parsedBody: true }),
      new FakePolicy(true, { rawBody: true }, 'c'),
    ];
    [world.policy, world.candidate] = [policy, candidate];
    const exchange = post('{"a": 1}');
    world.gate.exchange(exchange);
    assert.deepEqual([exchange.collected, exchange.overheard], [1, 0]);
    assert.equal(candidate.asked[0]?.attributes.request?.http.body, '{"a": 1}');
    assert.equal(policy.asked[0]?.attributes.request?.http.body, undefined);
  });

  test('a body that the policy in force cannot read is refused as ever, and a candidate that does not read it may differ', () => {
    const world = new FakeGateWorld();
    world.policy = new FakePolicy(true, { parsedBody: true });
    world.candidate = new FakePolicy(true, {}, 'c');
    const exchange = post('{"a": }');
    world.gate.exchange(exchange);
    assert.equal(exchange.answer?.status, 400);
    assert.deepEqual([seen(world)?.verdict, seen(world)?.differs], ['allow', true]);
  });
});

/** A policy as a property drew it. */
function made(spec: {
  readonly answer: unknown;
  readonly needs: FakePolicy['needs'];
  readonly ends: string;
}): FakePolicy {
  const { ends } = spec;
  const policy = new FakePolicy(spec.answer, spec.needs);
  if (ends === 'well') return policy;
  return policy.answering(() => {
    if (ends === 'throws') throw new Error('boom');
    return ends === 'undefined'
      ? { kind: 'undefined', steps: 1, cached: false }
      : { kind: 'failed', fault: fault('policy_memory_exceeded', ''), steps: 1 };
  });
}

describe('with and without a candidate', () => {
  const answer = fc.oneof(
    fc.boolean(),
    fc.constantFrom<unknown>(
      7,
      null,
      { allowed: true, headers: { 'x-a': 'b' } },
      { allowed: false, http_status: 404 },
      { allowed: 'x' },
    ),
  );
  const needs = fc.record({
    parsedBody: fc.boolean(),
    rawBody: fc.boolean(),
    parsedQuery: fc.boolean(),
    peerCertificate: fc.boolean(),
  });
  const policy = fc.record({ answer, needs, ends: fc.constantFrom('well', 'undefined', 'failed', 'throws') });
  const request = fc.constantFrom(
    () => plain(),
    () => post('{"a": 1}'),
    () => post('{"a": }'),
    () => post('{"a": "rather long"}'),
    () => new FakeExchange(http1Head('GET', '/a?b=%ff')),
    () => new FakeExchange(http1Head('GET', '/a/../b')),
    () => new FakeExchange(grpcHead('/a.B/C'), { body: 'broken' }),
    () => Object.assign(post('{"a": 1}'), { silent: true }),
    () =>
      new FakeExchange(http1Head('POST', '/a', ['Content-Type', 'application/json', 'Content-Length', '3']), {
        body: fault('peer_aborted', ''),
      }),
  );

  test('caller, agent, verdict and record are the same but for what the record says of the candidate', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('enforce', 'shadow'),
        fc.option(policy, { nil: undefined }),
        policy,
        request,
        (mode, inForce, onTrial, make) => {
          const limits = { ...DEFAULT_LIMITS, inspectedBodyBytes: 16 };
          const [bare, tried] = [new FakeGateWorld({ mode, limits }), new FakeGateWorld({ mode, limits })];
          for (const world of [bare, tried]) world.policy = inForce && made(inForce);
          tried.candidate = made(onTrial);
          const [one, other] = [make(), make()];
          bare.gate.exchange(one);
          tried.gate.exchange(other);
          assert.deepEqual(wire(tried, other), wire(bare, one));
          assert.equal(other.collected, one.collected);
          const [with_, without] = [tried, bare].map((world) =>
            world.journal.records.map(({ sallyport, decision_id, result, error }) => {
              const { candidate: _, connection: _c, remote: _r, prev: _p, hash: _h, outcome, ...rest } = sallyport;
              return { ...rest, outcome: { ...outcome, ms: 0 }, decision_id, result, error };
            }),
          );
          assert.deepEqual(with_, without);
        },
      ),
      { numRuns: 500 },
    );
  });
});
