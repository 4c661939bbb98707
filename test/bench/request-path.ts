/**
 * What a request costs between its complete head and its line in the journal, part by part, without a socket: `node test/bench/request-path.ts`.
 * Microseconds are CPU time of this process, bytes what V8 allocated on its heap (`total_allocated_bytes`: a count, the same on a busy machine).
 * Each row has one part more than the row above it, so that a part costs the difference.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';

import { Gate, type GateDeps } from '../../src/core/gate/gate.ts';
import type { Exchange, RawExchange } from '../../src/core/gate/exchange.ts';
import type { SpiffeId } from '../../src/core/kernel/brand.ts';
import type { Connection } from '../../src/core/model/connection.ts';
import { DEFAULT_LIMITS, STRICT_PATHS } from '../../src/core/model/limits.ts';
import type { Policy } from '../../src/core/model/policy.ts';
import type { RawHead } from '../../src/core/model/request.ts';
import { canonicalise } from '../../src/core/request/canonicalise.ts';
import { createRecorder } from '../../src/core/record/recorder.ts';
import { createJournal } from '../../src/io/journal/journal.ts';
import { DEFAULT_JOURNAL } from '../../src/io/journal/settings.ts';
import type { Device } from '../../src/io/journal/device.ts';
import { createTelemetry } from '../../src/io/telemetry/telemetry.ts';
import { createRandom, systemClock } from '../../src/app/system.ts';
import { fakeConnection, fakePeer, grpcHead, http1Head } from '../support/fake-exchange.ts';
import { load } from '../support/policy-host.ts';
import { agentId } from '../support/policy-library.ts';
import { compileRego } from '../support/rego.ts';
import { race, table, microseconds, type Contestant } from './policy-clock.ts';
import { starter } from './policy-subjects.ts';

const CONNECTIONS = 32;
/** Turns over which allocations are counted. */
const COUNTED = 20_000;

/** What is asked of which policy, and who asks whom. */
type Scene = { readonly policy: Policy; readonly head: RawHead; readonly caller: string; readonly agent: string };

/** The request of `load.ts` as the HTTP/1.1 reader gives it, and a gRPC call. */
const HTTP1 = http1Head('GET', '/api/v1/catalog/items?page=2', ['Accept', 'application/json', 'User-Agent', 'bench', 'X-Team', 'blue']); // prettier-ignore
const GRPC = grpcHead('/bench.Echo/Unary', ['user-agent', 'bench']);

type Bare = Pick<Exchange, 'connection' | 'peer'>;

/** One request without a socket; the forwarder ends it at once. */
class BareExchange implements Exchange {
  readonly connection: Connection;
  readonly peer: Exchange['peer'];
  readonly head: RawHead;
  readonly receivedAtMs = systemClock.wallMs();
  readonly receivedMonotonicMs = systemClock.monotonicMs();

  constructor({ connection, peer }: Bare, head: RawHead) {
    this.connection = connection;
    this.peer = peer;
    this.head = head;
  }

  collectBody(): void {
    throw new Error('no policy here reads a body');
  }

  overhearBody(): void {}

  refuse(): void {
    throw new Error('refused: the bench would measure something else');
  }

  cut(): void {}
}

type Parts = Pick<GateDeps<BareExchange, RawExchange>, 'record' | 'journal' | 'observer'>;

const unlogged: Parts['journal'] = {
  reserve: () => true,
  reserveLater: (done) => done(true),
  release: () => undefined,
  write: () => undefined,
  writeUnreserved: () => undefined,
};
const unseen: Parts['observer'] = { decided: () => undefined };

/** A journal whose device takes everything at once and keeps nothing. */
function blackHole(): Parts['journal'] {
  const device: Device = {
    write: (bytes, done) => queueMicrotask(() => done(undefined, bytes.length)),
    close: (done) => done(),
  };
  const journal = createJournal(
    { ...DEFAULT_JOURNAL, queueRecords: 1e9, queueBytes: 1e12, sinks: [{ kind: 'stdout' }] },
    {
      clock: systemClock,
      log: { info: () => undefined, error: () => undefined },
      open: () => (done) => done(undefined, { device, tail: undefined }),
    },
  );
  void journal.start();
  return journal;
}

function gateOf(name: string, { policy, head, caller, agent }: Scene, parts: Parts): Contestant {
  const gate = new Gate<BareExchange, RawExchange>(
    { mode: 'enforce', limits: DEFAULT_LIMITS, tolerance: STRICT_PATHS, listener: '0.0.0.0:8443' },
    {
      clock: systemClock,
      random: createRandom(),
      identity: () => fakePeer(caller),
      ownId: () => agent as SpiffeId,
      policy: () => policy,
      descriptors: () => undefined,
      ...parts,
      forward: (_permit, _exchange, done) => done({ kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 1_000 }),
      forwardRaw: () => undefined,
    },
  );
  const connections = Array.from({ length: CONNECTIONS }, () => ({ connection: fakeConnection(), peer: fakePeer(caller) })); // prettier-ignore
  return { name, run: (turn) => gate.exchange(new BareExchange(connections[turn % CONNECTIONS] as Bare, head)) };
}

function recorder(): Parts['record'] {
  const made = createRecorder({ labels: { id: 'agent-1', version: '0.0.0' } });
  return (facts) => made.record(facts);
}

function contestants(scene: Scene): readonly Contestant[] {
  const random = createRandom();
  const hexOf = (length: number) => (): string => Buffer.from(random(length)).toString('hex');
  const context = {
    limits: DEFAULT_LIMITS,
    tolerance: STRICT_PATHS,
    clientCertHeader: 'Hash=00',
    requestId: '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
    newSpanId: hexOf(8),
    newTraceId: hexOf(16),
  };
  const telemetry = createTelemetry({ version: '0', process: false }, { clock: systemClock, figures: () => undefined });
  return [
    { name: 'the head read alone', run: () => canonicalise(scene.head, context) },
    gateOf('the gate, decided', scene, { record: () => undefined, journal: unlogged, observer: unseen }),
    gateOf('and recorded', scene, { record: recorder(), journal: unlogged, observer: unseen }),
    gateOf('and queued, written', scene, { record: recorder(), journal: blackHole(), observer: unseen }),
    gateOf('and counted', scene, { record: recorder(), journal: blackHole(), observer: telemetry }),
  ];
}

/** Bytes a turn. */
function allocated({ run }: Contestant): number {
  const before = getHeapStatistics().total_allocated_bytes;
  for (let turn = 0; turn < COUNTED; turn += 1) run(turn);
  return Math.round((getHeapStatistics().total_allocated_bytes - before) / COUNTED);
}

function show(title: string, scene: Scene): void {
  const all = contestants(scene);
  const standings = race(all);
  console.log(`\n## ${title}`);
  table(
    ['', 'us', 'bytes'],
    standings.map(({ name, ns }, at) => [name, microseconds(ns), allocated(all[at] as Contestant)]),
  );
}

function read(name: string): string {
  return readFileSync(join(import.meta.dirname, 'rbac', name), 'utf8');
}

/** The policy of the sidecar's bench. */
async function rbac(): Promise<Policy> {
  const entrypoint = 'bench/authz/allow';
  const { policyWasm, plan } = await compileRego({
    files: { 'rbac.rego': read('rbac.rego') },
    entrypoints: [entrypoint],
  });
  const data = JSON.parse(read('data.json')) as unknown;
  return load({ wasm: policyWasm, plan, data, entrypoint, bundles: { bench: { revision: '1' } } });
}

/** The starter library with a thousand agents, nothing remembered. */
async function uncachedStarter(): Promise<Policy> {
  const { files, entrypoint, data } = starter('starter', 10, 0);
  const { policyWasm, plan } = await compileRego({ files, entrypoints: [entrypoint] });
  return load(
    { wasm: policyWasm, plan, data, entrypoint, bundles: { starter: { revision: '1' } } },
    { cacheEntries: 0 },
  );
}

const agents = { caller: 'spiffe://example.org/agents/client', agent: 'spiffe://example.org/agents/agent' };
const fleet = { caller: agentId('agents', 'agent-0'), agent: agentId('agents', 'agent-1') };
show('HTTP/1.1, roles, remembered', { policy: await rbac(), head: HTTP1, ...agents });
show('gRPC, roles, remembered', { policy: await rbac(), head: GRPC, ...agents });
show('HTTP/1.1, starter library, nothing remembered', { policy: await uncachedStarter(), head: http1Head('GET', '/v1/tasks/7', []), ...fleet }); // prettier-ignore
