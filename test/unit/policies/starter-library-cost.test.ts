import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { LoadedPolicy } from '../../../src/core/policy/host.ts';
import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import { agentId, loadLibrary } from '../../support/policy-library.ts';
import type { Fleet } from '../../support/policy-library.ts';
import { connectionOf, requestOf } from '../../support/policy-input.ts';

const SIZES = [10, 1_000, 10_000];

/**
 * OPA's objects are hash tables whose buckets are sorted lists, at most 0.7 entries a bucket. An agent that is not the first of its bucket costs one
 * comparison of keys more for each that is (1,600 steps of 274,000 when this was written). So the median is the same number for every size,
 * and no agent is far from it.
 */
const NEIGHBOURS = 1.03;

const SEGMENT = {
  functions: {
    '/v1': { '/tasks': { POST: 'create', '/*': { GET: 'read', '/cancel': { POST: 'cancel' } } } },
    '/reports': { '/**': { GET: 'report' } },
  },
  connection: 'stream',
  callers: { planners: { create: true, read: true, report: true, stream: true } },
};

/** Names of one length, so that what differs is only how many there are. */
const named = (i: number): string => agentId('agents', `agent-${String((i * 7919) % 100_003).padStart(6, '0')}`);
const called = named(0);

function fleetOf(size: number, segments = 10): { readonly fleet: Fleet } {
  const agents = Array.from({ length: size }, (_, i) => [named(i), i === 0 ? 'workers' : 'planners']);
  const others = Array.from({ length: segments }, (_, i) => [`segment-${String(i).padStart(4, '0')}`, SEGMENT]);
  return {
    fleet: {
      agents: { ...Object.fromEntries(agents), 'spiffe://example.org/ns/rest/**': 'planners' },
      segments: { ...Object.fromEntries(others), workers: SEGMENT },
    },
  };
}

const policies: readonly LoadedPolicy[] = await Promise.all(
  SIZES.map((size) => loadLibrary(fleetOf(size), { memoryBytes: 64 << 20, cacheEntries: 0 })),
);

type Ask = (caller: string) => PolicyInput;

const CALLS: readonly (readonly [string, boolean, Ask])[] = [
  ['an allow', true, (caller) => requestOf({ caller, agent: called, path: ['v1', 'tasks', '7'] })],
  ['an allow below /**', true, (caller) => requestOf({ caller, agent: called, path: ['reports', '2026', 'may'] })],
  ['an allow of a connection', true, (caller) => connectionOf({ caller, agent: called })],
  [
    'a denial, no grant',
    false,
    (caller) => requestOf({ caller, agent: called, method: 'POST', path: ['v1', 'tasks', '7', 'cancel'] }),
  ],
  ['a denial, no function', false, (caller) => requestOf({ caller, agent: called, path: ['v2', 'tasks', '7'] })],
];

/** Steps of the same call by each of the agents, in order. */
function stepsOf(policy: LoadedPolicy, allowed: boolean, ask: Ask, callers: readonly string[]): readonly number[] {
  const steps = callers.map((caller) => {
    const evaluation = policy.evaluate(ask(caller));
    assert.ok(evaluation.kind === 'defined');
    assert.equal((evaluation.value as { readonly allowed: unknown }).allowed, allowed);
    return evaluation.steps;
  });
  return steps.sort((a, b) => a - b);
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] as number;
}

const known = Array.from({ length: 9 }, (_, i) => named(i + 1));
const byNamespace = Array.from({ length: 51 }, (_, i) => agentId('rest', `agent-${String(i).padStart(6, '0')}`));
const strangers = Array.from({ length: 51 }, (_, i) =>
  agentId('rest', `agent-${String(i).padStart(6, '0')}`, 'example.com'),
);

for (const [what, allowed, ask] of CALLS) {
  test(`${what} costs the same number of steps with 10, 1,000 and 10,000 agents`, () => {
    const steps = policies.map((policy) => stepsOf(policy, allowed, ask, known));
    const [small] = steps.map(median) as [number];
    assert.deepEqual(steps.map(median), [small, small, small]);
    for (const each of steps.flat()) assert.ok(each >= small && each <= small * NEIGHBOURS, `${each} of ${small}`);
  });
}

const LOOKED_FOR: readonly (readonly [string, boolean, readonly string[]])[] = [
  ['an agent that is in a segment by its namespace', true, byNamespace],
  ['an agent that no segment has', false, strangers],
];

for (const [what, allowed, callers] of LOOKED_FOR) {
  test(`${what} costs no more with 10,000 agents than with 10, but for neighbours in the buckets`, () => {
    const [, , ask] = CALLS[0] as (typeof CALLS)[number];
    const [small = 0, ...larger] = policies.map((policy) => median(stepsOf(policy, allowed, ask, callers)));
    for (const each of larger) {
      assert.ok(each <= small * NEIGHBOURS && each >= small / NEIGHBOURS, `${each} of ${small}`);
    }
  });
}

test('an allow costs no more with 1,000 segments than with 10, but for neighbours in the buckets', async () => {
  const [, allowed, ask] = CALLS[0] as (typeof CALLS)[number];
  const many = await loadLibrary(fleetOf(1_000, 1_000), { memoryBytes: 64 << 20, cacheEntries: 0 });
  const [few] = policies as [LoadedPolicy];
  const [small, large] = [few, many].map((policy) => median(stepsOf(policy, allowed, ask, known))) as [number, number];
  assert.ok(large >= small && large <= small * NEIGHBOURS, `${large} of ${small}`);
});

test('the library asks nothing of the host, and only of what it needs: no headers, no body, no raw path', () => {
  const [policy] = policies as [LoadedPolicy];
  assert.deepEqual(policy.builtins, []);
  assert.equal(policy.deterministic, true);
  assert.deepEqual(policy.needs, { parsedBody: false, rawBody: false, parsedQuery: false, peerCertificate: false });
  const leaves = policy.reads.filter((read) => !read.endsWith(' ?')).map((read) => read.split(' ', 1).join());
  assert.deepEqual(leaves.sort(), [
    'input.attributes.request.http.method',
    'input.parsed_path',
    'input.sallyport.agent.spiffe_id',
    'input.sallyport.direction',
    'input.sallyport.peer.spiffe_id',
    'input.sallyport.subject',
  ]);
});

test('a repeated call is answered from the cache', async () => {
  const policy = await loadLibrary(fleetOf(10));
  const input = requestOf({ caller: named(1), agent: called, path: ['v1', 'tasks', '7'] });
  const [first, second] = [policy.evaluate(input), policy.evaluate({ ...input, source_principal: 'not read' })];
  assert.ok(first.kind === 'defined' && second.kind === 'defined');
  assert.deepEqual([first.cached, second.cached], [false, true]);
  assert.deepEqual(second.value, first.value);
});
