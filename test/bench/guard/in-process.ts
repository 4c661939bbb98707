/**
 * Counts what a request costs between its complete head and its record, without a socket: `node FLAGS in-process.ts`, where FLAGS are
 * `STEADY_FLAGS` of `steady-flags.ts`. Prints `Counts` as one line of JSON.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';

import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import type { Policy } from '../../../src/core/model/policy.ts';
import type { PolicyInput } from '../../../src/core/model/policy-input.ts';
import type { RawHead } from '../../../src/core/model/request.ts';
import { fakeConnection, FakeExchange, fakePeer, grpcHead, http1Head } from '../../support/fake-exchange.ts';
import { FakeGateWorld, FakeJournal } from '../../support/fake-gate-world.ts';
import { load } from '../../support/policy-host.ts';
import { requestOf } from '../../support/policy-input.ts';
import { agentId, DECISION } from '../../support/policy-library.ts';
import { compileRego } from '../../support/rego.ts';
import { starter } from '../policy-subjects.ts';
import type { Counts } from './counts.ts';
import { median } from '../process-cost.ts';
import { watched, type Seen } from './watch.ts';

/** Requests before the first that counts: functions are compiled and what is remembered of a connection is there. */
const WARM = 400;
const BATCHES = 5;
const BATCH = 500;

const CLIENT = 'spiffe://example.org/agents/client';
const AGENT = 'spiffe://example.org/agents/agent';
const FIELDS = ['Accept', 'application/json', 'User-Agent', 'bench', 'X-Team', 'blue'];
const BODY = JSON.stringify({ action: 'query', text: 'x'.repeat(1_000) });

/** What is asked of which policy, and who asks whom. */
type Scene = {
  readonly policy: Policy;
  readonly head: RawHead;
  readonly caller?: string;
  readonly agent?: string;
  readonly body?: string;
};

/** One request after another over one connection; everything but the gate and the recorder keeps still. */
class Lane {
  readonly world = new FakeGateWorld({}, new FakeJournal(Number.POSITIVE_INFINITY));
  readonly #head: RawHead;
  readonly #over: ConstructorParameters<typeof FakeExchange>[1];
  #bodies = 0;

  constructor({ policy, head, caller = CLIENT, agent = AGENT, body = '' }: Scene) {
    this.world.policy = policy;
    this.world.ownId = agent as SpiffeId;
    this.#head = head;
    this.#over = { connection: fakeConnection(), peer: fakePeer(caller), body };
    this.ask(WARM);
  }

  ask(times: number): void {
    const { journal, forwarder, observed, facts, gate } = this.world;
    for (let turn = 0; turn < times; turn += 1) {
      const exchange = new FakeExchange(this.#head, this.#over);
      gate.exchange(exchange);
      this.#bodies += exchange.collected;
      if (exchange.answer !== undefined) throw new Error('refused: something else would be counted');
    }
    for (const list of [journal.lines, forwarder.permits, observed, facts]) list.length = 0;
  }

  /** How many bodies the gate asked for in so many requests. */
  bodiesOf(times: number): number {
    this.#bodies = 0;
    this.ask(times);
    return this.#bodies;
  }

  /** The record of one more request. */
  record(): string {
    this.world.journal.lines.length = 0;
    this.world.gate.exchange(new FakeExchange(this.#head, this.#over));
    const [line] = this.world.journal.lines;
    if (line === undefined) throw new Error('no record');
    return line;
  }
}

function heapBytes(lane: Lane): number {
  const batches = Array.from({ length: BATCHES }, () => {
    globalThis.gc?.();
    const before = getHeapStatistics().used_heap_size;
    lane.ask(BATCH);
    return (getHeapStatistics().used_heap_size - before) / BATCH;
  });
  return Math.round(median(batches));
}

/** Policy evaluations of `times` requests that are all alike: what the records say of where the answer came from. */
function evaluations(lane: Lane, times: number): number {
  return Array.from({ length: times }, () => lane.record()).filter((line) => !line.includes('"cached":true')).length;
}

function read(name: string): string {
  return readFileSync(join(import.meta.dirname, '..', 'rbac', name), 'utf8');
}

/** The policy of the sidecar's bench. */
async function roles(cacheEntries?: number): Promise<Policy> {
  const entrypoint = 'bench/authz/allow';
  const files = { 'rbac.rego': read('rbac.rego') };
  const { policyWasm, plan } = await compileRego({ files, entrypoints: [entrypoint] });
  const data = JSON.parse(read('data.json')) as unknown;
  const source = { wasm: policyWasm, plan, data, entrypoint, bundles: { bench: { revision: '1' } } };
  return load(source, cacheEntries === undefined ? {} : { cacheEntries });
}

/** The starter library with a thousand agents, nothing remembered. */
async function library(): Promise<Policy> {
  const { files, data } = starter('starter', 10, 0);
  const { policyWasm, plan } = await compileRego({ files, entrypoints: [DECISION] });
  const source = { wasm: policyWasm, plan, data, entrypoint: DECISION, bundles: { starter: { revision: '1' } } };
  return load(source, { cacheEntries: 0 });
}

/** A policy that reads the body. */
async function reading(): Promise<Policy> {
  const entrypoint = 'guard/allow';
  const files = { 'guard.rego': 'package guard\n\nallow if input.parsed_body.action == "query"\n' };
  const { policyWasm, plan } = await compileRego({ files, entrypoints: [entrypoint] });
  return load({ wasm: policyWasm, plan, data: {}, entrypoint, bundles: {} });
}

function stepsOf(policy: Policy, input: PolicyInput): number {
  return policy.evaluate(input).steps;
}

function steps(fleet: Policy, role: Policy): Counts {
  const [allowed] = starter('starter', 10, 0).inputs;
  if (allowed === undefined) throw new Error('the starter library is asked nothing');
  const stranger = requestOf({ caller: agentId('agents', 'nobody'), agent: agentId('agents', 'agent-1'), path: ['v1', 'tasks', '0'] }); // prettier-ignore
  const items = { agent: AGENT, path: ['api', 'v1', 'catalog', 'items'] };
  return {
    steps: {
      'starter library, allowed': stepsOf(fleet, allowed),
      'starter library, a stranger': stepsOf(fleet, stranger),
      'roles, allowed': stepsOf(role, requestOf({ caller: CLIENT, ...items })),
      'roles, another path': stepsOf(role, requestOf({ caller: CLIENT, agent: AGENT, path: ['admin'] })),
      'roles, a stranger': stepsOf(role, requestOf({ caller: 'spiffe://example.org/agents/stranger', ...items })),
    },
  };
}

const forgetful = await roles(0);
const remembering = await roles();
const fleet = await library();
const get = new Lane({ policy: remembering, head: http1Head('GET', '/api/v1/catalog/items?page=2', FIELDS) });
const grpc = new Lane({ policy: remembering, head: grpcHead('/bench.Echo/Unary', ['user-agent', 'bench']) });
const uncached = new Lane({ policy: fleet, head: http1Head('GET', '/v1/tasks/7'), caller: agentId('agents', 'agent-0'), agent: agentId('agents', 'agent-1') }); // prettier-ignore
const posted = ['Content-Type', 'application/json', 'Content-Length', String(BODY.length)];
const post = new Lane({ policy: remembering, head: http1Head('POST', '/api/v1/catalog/query', posted), body: BODY });
const bodyRead = new Lane({
  policy: await reading(),
  head: http1Head('POST', '/api/v1/catalog/query', posted),
  body: BODY,
});

const lanes = {
  'gate, GET, remembered': get,
  'gate, gRPC, remembered': grpc,
  'gate, GET, starter library': uncached,
  'gate, POST 1 KB': post,
  'gate, POST 1 KB, body read': bodyRead,
};
type Row = Record<string, number>;
const of = (count: (lane: Lane) => number): Row =>
  Object.fromEntries(Object.entries(lanes).map(([name, lane]) => [name, count(lane)]));
const bodies = of((lane) => lane.bodiesOf(BATCH) / BATCH);
const seen = new Map(Object.values(lanes).map((lane) => [lane, watched(() => lane.ask(BATCH))]));
const each = (key: keyof Seen): Row => of((lane) => (seen.get(lane)?.[key] ?? 0) / BATCH);
/** Of all lanes together: where none may make any, a line for each says no more. */
const any = (key: keyof Seen): Row => ({ gate: Object.values(each(key)).reduce((sum, one) => sum + one, 0) });

const counts: Counts = {
  ...steps(fleet, forgetful),
  evaluations: { 'gate, 1,000 requests alike': evaluations(get, 1_000) },
  recordBytes: of((lane) => lane.record().length),
  gateHeapBytes: of(heapBytes),
  promises: any('promises'),
  ticks: any('ticks'),
  timers: any('timers'),
  immediates: any('immediates'),
  emitters: any('emitters'),
  jsonParse: each('parses'),
  jsonStringify: each('stringifies'),
  bodiesRead: bodies,
};
console.log(JSON.stringify(counts));
process.exit(0);
