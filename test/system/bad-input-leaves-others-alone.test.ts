import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';

import type { DecisionRecord } from '../../src/core/model/record.ts';
import { startBystanders } from '../support/bystander.ts';
import { startHttpAgent } from '../support/http-agent.ts';
import {
  CODE,
  connectFrames,
  FLAG,
  frame,
  getFrame,
  postFrame,
  requestBlock,
  settings,
  TYPE,
  uint32,
  type FramePeer,
} from '../support/http2-frame-peer.ts';
import type { Issued } from '../support/pki.ts';
import type { RawPeer } from '../support/raw-http1-peer.ts';
import { connectHttp1 } from '../support/system-clients.ts';
import type { RawConfig } from '../support/sidecar-process.ts';
import { startSystem, type System } from '../support/system.ts';

/**
 * The real process under hostile peers, one kind after the other, while ordinary peers go on. Each case: what the peer is told, its records, nobody
 * else's trouble. The policy reads all headers and JSON bodies, so that both reach it.
 */
const POLICY = `package test.authz

default decision := false

decision if {
	count(input.attributes.request.http.headers) > 0
	not nested
}

nested if input.parsed_body[0][0][0] == "x"
`;

const ATTACKER = 'spiffe://example.org/attacker';
const HEAD = 'Host: agent.test\r\n';
const COPIES = 8;
const FLOOD = 'flood / refused / none';
/** Longest gap between two looks at the event loop since the last scrape; the looks themselves are 50 ms apart. */
const LAG = 'nodejs_eventloop_lag_max_seconds';

type Attack = {
  readonly title: string;
  /** Attacks, waits for its own end, and gives the records owed. */
  readonly run: (hostile: Hostile) => Promise<Owed>;
};

/** How often each kind of record is owed, as `fault of the decision / outcome / fault of the outcome`. */
type Owed = Readonly<Record<string, number>>;

/** Connections of one attacker, and its records. */
class Hostile {
  readonly context: TestContext;
  readonly system: System;
  readonly #id: string;
  readonly #attacker: Issued;

  constructor(context: TestContext, system: System, id: string) {
    this.context = context;
    this.system = system;
    this.#id = id;
    this.#attacker = system.authority.issue({ id });
  }

  http1(): Promise<RawPeer> {
    return connectHttp1(this.context, this.system, this.#attacker);
  }

  async http2(window?: number): Promise<FramePeer> {
    const peer = await connectFrames({
      port: this.system.sidecar.port,
      tls: this.system.tls(this.#attacker, 'h2'),
      ...(window !== undefined && { settings: [[4, window]] }),
    });
    this.context.after(() => peer.close());
    return peer;
  }

  records(): readonly DecisionRecord[] {
    return this.system.sidecar.records().filter(({ sallyport }) => sallyport.peer === this.#id);
  }
}

function kindOf({ sallyport: { fault, outcome } }: DecisionRecord): string {
  return `${fault ?? 'allowed'} / ${outcome.kind} / ${outcome.fault ?? 'none'}`;
}

function repeat(bytes: Uint8Array, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => bytes));
}

/** Does the same on several HTTP/1.1 connections at once and wants the same status on each. */
async function onEach(
  hostile: Hostile,
  status: number,
  begin: (peer: RawPeer) => void,
  copies = COPIES,
): Promise<void> {
  const peers = await Promise.all(Array.from({ length: copies }, () => hostile.http1()));
  for (const peer of peers) begin(peer);
  const answers = await Promise.all(peers.map((peer) => peer.response('POST')));
  assert.deepEqual(
    answers.map((answer) => answer.status),
    answers.map(() => status),
  );
  for (const peer of peers) peer.close();
}

/** A flood on one HTTP/2 connection: it is closed, with one record of its own beside those of its requests. */
async function flood(hostile: Hostile, send: (peer: FramePeer) => Promise<void> | void): Promise<FramePeer> {
  const peer = await hostile.http2();
  await peer.roundTrip();
  await send(peer);
  await peer.ended;
  return peer;
}

/** In pieces, reading what comes back, so that nothing but the flood itself can end the connection. */
async function politely(peer: FramePeer, bytes: Buffer, times: number): Promise<void> {
  for (let i = 0; i < times && peer.socket.writable; i += 1) {
    peer.send(bytes);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * Names that fall into one bucket of the evaluator's hash tables (FNV-1, 32 bits): its low bits depend on the low bits of what went before alone,
 * and no table of a thousand entries uses more than twelve of them.
 */
function collidingNames(count: number): readonly string[] {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  const names: string[] = [];
  for (let n = 0; names.length < count; n += 1) {
    let name = 'x-';
    for (let rest = n, i = 0; i < 6; i += 1, rest = Math.floor(rest / 26)) name += letters[rest % 26];
    let hash = 0x811c9dc5;
    for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash, 0x01000193) ^ name.charCodeAt(i);
    if ((hash & 0xfff) === 0) names.push(name);
  }
  return names;
}

/** Peers that take their time; in a sidecar with short deadlines. */
const SLOW: readonly Attack[] = [
  {
    title: 'heads that never end: 408',
    run: async (hostile) => {
      await onEach(hostile, 408, (peer) => peer.send('GET /slow HTTP/1.1\r\nHost: age'));
      return { 'request_timeout / refused / none': COPIES };
    },
  },
  {
    title: 'bodies that never end and that policy waits for: 408',
    run: async (hostile) => {
      const head = `POST /slow HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a"`;
      await onEach(hostile, 408, (peer) => peer.send(head));
      return { 'request_timeout / refused / none': COPIES };
    },
  },
  {
    title: 'bodies that never end and that are forwarded: the agent is reset',
    run: async (hostile) => {
      const head = `POST /slow HTTP/1.1\r\n${HEAD}Content-Type: text/plain\r\nContent-Length: 100\r\n\r\nsome`;
      const peers = await Promise.all(Array.from({ length: COPIES }, () => hostile.http1()));
      for (const peer of peers) peer.send(head);
      await Promise.all(peers.map((peer) => peer.ended));
      return { 'allowed / aborted / request_timeout': COPIES };
    },
  },
  {
    title: 'a peer that never reads, HTTP/1.1: closed',
    run: async (hostile) => {
      const peer = await hostile.http1();
      peer.socket.pause();
      peer.send(`GET /endless HTTP/1.1\r\n${HEAD}\r\n`);
      await hostile.system.sidecar.until('its record', () => hostile.records().length === 1);
      peer.socket.resume();
      await peer.ended;
      return { 'allowed / aborted / peer_not_reading': 1 };
    },
  },
  {
    title: 'a peer that never opens its window, HTTP/2: its stream is reset',
    run: async (hostile) => {
      const peer = await hostile.http2(0);
      peer.send(getFrame(1, '/endless'));
      await peer.next(TYPE.rstStream);
      peer.close();
      return { 'allowed / aborted / peer_not_reading': 1 };
    },
  },
];

/** Peers that send too much of something. */
const GREEDY: readonly Attack[] = [
  {
    title: 'tens of thousands of tiny chunks, held for the policy: served',
    run: async (hostile) => {
      const head = `POST /tiny HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const chunks = Buffer.from(`1\r\n"\r\n${'1\r\na\r\n'.repeat(50_000)}1\r\n"\r\n0\r\n\r\n`);
      await onEach(hostile, 200, (peer) => peer.send(Buffer.concat([Buffer.from(head), chunks])), 2);
      return { 'allowed / forwarded / none': 2 };
    },
  },
  {
    title: 'a hundred thousand tiny chunks, passed on: served',
    run: async (hostile) => {
      const head = `POST /tiny HTTP/1.1\r\n${HEAD}Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const chunks = Buffer.from(`${'1\r\na\r\n'.repeat(100_000)}0\r\n\r\n`);
      await onEach(hostile, 200, (peer) => peer.send(Buffer.concat([Buffer.from(head), chunks])), 1);
      return { 'allowed / forwarded / none': 1 };
    },
  },
  {
    title: 'names that collide in the evaluator, as many as may be configured: the budget ends it',
    run: async (hostile) => {
      const fields = collidingNames(980)
        .map((name) => `${name}: 1\r\n`)
        .join('');
      await onEach(hostile, 403, (peer) => peer.send(`GET /colliding HTTP/1.1\r\n${HEAD}${fields}\r\n`));
      return { 'policy_budget_exceeded / refused / none': COPIES };
    },
  },
  {
    title: 'ten thousand header fields, HTTP/1.1: 431',
    run: async (hostile) => {
      const fields = Array.from({ length: 10_000 }, (_, i) => `x-${i}: 1\r\n`).join('');
      await onEach(hostile, 431, (peer) => peer.send(`GET /many HTTP/1.1\r\n${HEAD}${fields}\r\n`));
      return { 'headers_too_large / refused / none': COPIES };
    },
  },
  {
    title: 'JSON as deep as the body may be long: refused',
    run: async (hostile) => {
      const body = `${'['.repeat(32_000)}${']'.repeat(32_000)}`;
      const head = `POST /deep HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
      await onEach(hostile, 400, (peer) => peer.send(head + body));
      return { 'body_malformed / refused / none': COPIES };
    },
  },
  {
    title: 'rapid reset (CVE-2023-44487): closed as a flood',
    run: async (hostile) => {
      await flood(hostile, async (peer) => {
        for (let id = 1; id < 8_000 && peer.socket.writable; id += 2) {
          peer.send(getFrame(id, '/hang'), frame(TYPE.rstStream, 0, id, uint32(CODE.cancel)));
          if (id % 64 === 1) await new Promise((resolve) => setImmediate(resolve));
        }
      });
      return { [FLOOD]: 1 };
    },
  },
  {
    title: 'CONTINUATION without end (CVE-2024-27983): closed as a flood',
    run: async (hostile) => {
      await flood(hostile, (peer) => {
        const begun = frame(TYPE.headers, FLAG.endStream, 1, requestBlock());
        peer.send(begun, repeat(frame(TYPE.continuation, 0, 1), 100_000));
      });
      return { [FLOOD]: 1 };
    },
  },
  {
    title: 'SETTINGS (CVE-2019-9515): closed as a flood',
    run: async (hostile) => {
      await flood(hostile, (peer) =>
        politely(peer, repeat(frame(TYPE.settings, 0, 0, settings([[3, 100]])), 500), 400),
      );
      return { [FLOOD]: 1 };
    },
  },
  {
    title: 'PING (CVE-2019-9512): closed as a flood',
    run: async (hostile) => {
      await flood(hostile, (peer) => politely(peer, repeat(frame(TYPE.ping, 0, 0, Buffer.alloc(8)), 500), 400));
      return { [FLOOD]: 1 };
    },
  },
  {
    title: 'empty DATA (CVE-2019-9518): closed as a flood',
    run: async (hostile) => {
      await flood(hostile, (peer) => peer.send(postFrame(1, '/hang'), repeat(frame(TYPE.data, 0, 1), 20_000)));
      return { [FLOOD]: 1 };
    },
  },
];

/** Reads from `/proc` what the process took at most (`VmHWM`); nothing where there is no such file. */
async function peakRss(pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return /VmHWM:\s+(\d+ kB)/.exec(status)?.[1] ?? 'unknown';
}

/** An agent that serves, hangs (`/hang`) or never ends (`/endless`), behind a sidecar with these limits. */
async function begin(context: TestContext, limits: RawConfig): Promise<System> {
  const megabyte = Buffer.alloc(1_048_576, 'endless ');
  const agent = await startHttpAgent(context, (request, response) => {
    request.resume();
    if (request.url === '/hang') return;
    if (request.url === '/endless') {
      const more = (): void => {
        if (!response.destroyed && response.write(megabyte)) setImmediate(more);
      };
      response.on('drain', more);
      more();
      return;
    }
    request.on('end', () => response.end('served'));
  });
  return startSystem(context, { upstream: `http://127.0.0.1:${agent.port}`, policy: POLICY, limits });
}

/** One attack while bystanders go on: they are served, and the attacker's records are exactly those owed. */
async function underAttack(context: TestContext, hostile: Hostile, { run }: Attack): Promise<void> {
  const { sidecar } = hostile.system;
  await sidecar.metric(LAG);
  const bystanders = await startBystanders(context, hostile.system, '/bystander');
  const owed = await run(hostile);
  const expected = Object.entries(owed).flatMap(([kind, count]) => Array.from({ length: count }, () => kind));
  const isOwed = (record: DecisionRecord): boolean => kindOf(record) in owed;
  await sidecar.until('the records owed', () => hostile.records().filter(isOwed).length >= expected.length);
  const { answers, worstMs } = await bystanders.stop();
  const records = hostile.records();
  assert.deepEqual(records.filter(isOwed).map(kindOf), expected);
  // The requests of a flood have a record each besides.
  const others = records.filter((record) => !isOwed(record)).map(kindOf);
  if (!(FLOOD in owed)) assert.deepEqual(others, []);
  for (const kind of others) assert.match(kind, /^(allowed|request_malformed) \/ (aborted|refused|forwarded) \//);
  assert.ok(answers > 0);
  assert.ok(sidecar.isRunning);
  const lag = (await sidecar.metric(LAG)) ?? 0;
  context.diagnostic(
    `others: ${answers} answers, the slowest after ${worstMs.toFixed(0)} ms; event loop ${(lag * 1_000 - 50).toFixed(0)} ms late; ` +
      `${others.length} further records; peak RSS ${await peakRss(sidecar.pid)}`,
  );
}

async function allOf(context: TestContext, attacks: readonly Attack[], limits: RawConfig): Promise<void> {
  const system = await begin(context, limits);
  for (const [index, attack] of attacks.entries()) {
    await context.test(attack.title, { timeout: 30_000 }, async (context) => {
      await underAttack(context, new Hostile(context, system, `${ATTACKER}-${index}`), attack);
    });
  }
  assert.equal(await system.sidecar.metric('sallyport_journal_lost_total'), 0);
  assert.deepEqual(
    system.sidecar.log.filter(({ level }) => level >= 50),
    [],
    'none of it is a fault of ours',
  );
  assert.equal(await system.sidecar.stop(), 0);
}

test(
  'slow peers end at their deadlines with records of their own, and nobody else notices',
  { timeout: 120_000 },
  (context) => allOf(context, SLOW, { headTimeout: '500ms', requestTimeout: '1s', streamIdleTimeout: '2s' }),
);

test('greedy peers are refused with records of their own, and nobody else notices', { timeout: 120_000 }, (context) =>
  allOf(context, GREEDY, { headerCount: 1_000, headerBytes: '128KiB' }),
);
