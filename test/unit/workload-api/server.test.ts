import assert from 'node:assert/strict';
import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { connect as connectNet } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { err, ok } from '../../../src/core/kernel/result.ts';
import { createWorkloadApiServer } from '../../../src/io/workload-api/server.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { framed } from '../../support/fake-workload-api/fake.ts';
import { decodeBundles, decodeSvids, type SvidsFields } from '../../support/fake-workload-api/messages.ts';
import { createAuthority } from '../../support/pki.ts';
import { answer, ask } from '../../support/system-clients.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

import type { TestContext } from 'node:test';
import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { TrustDocument } from '../../../src/core/model/svid.ts';
import type { IssuerRefusal, WorkloadIssuer } from '../../../src/io/workload-api/issuer.ts';
import type { WorkloadApiServerSettings } from '../../../src/io/workload-api/server.ts';

const ID = 'spiffe://example.org/agent' as SpiffeId;
const SECOND = 'spiffe://example.org/second' as SpiffeId;
const HOUR = 3_600_000;
const root = createAuthority();

/** An issuer whose answers the test changes. */
function issuerOf(wallMs: () => number) {
  const listeners = new Set<() => void>();
  const state = {
    signer: root,
    identities: [{ spiffeId: ID, hint: '' }],
    bundles: new Map([['example.org' as TrustDomain, root.bundle]]),
    crls: [] as Uint8Array[],
    refusal: undefined as IssuerRefusal | undefined,
    lifeMs: HOUR,
    issued: [] as bigint[],
  };
  let revision = 0;
  const issuer: WorkloadIssuer = {
    identities: () => state.identities,
    svid: (spiffeId) => {
      if (state.refusal !== undefined) return Promise.resolve(err(state.refusal));
      // Certificates count whole seconds.
      const notAfterMs = Math.floor((wallMs() + state.lifeMs) / 1_000) * 1_000;
      const notBefore = new Date(wallMs() - 60_000);
      const leaf = state.signer.issue({ id: spiffeId, notBefore, notAfter: new Date(notAfterMs) });
      state.issued.push(leaf.serial);
      return Promise.resolve(ok({ chain: leaf.chain, privateKey: leaf.privateKey, notAfterMs }));
    },
    trust: (): TrustDocument => ({
      revision: String(revision),
      bundles: state.bundles,
      crls: state.crls,
      refreshHintMs: undefined,
    }),
    onTrust: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const changed = (): void => {
    revision += 1;
    listeners.forEach((listener) => listener());
  };
  return { issuer, state, changed, listeners };
}

async function world(context: TestContext, settings: Partial<WorkloadApiServerSettings> = {}) {
  const path = join(await tempFolder(context), 'private', 'api.sock');
  const clock = createDrivenClock(Math.floor(Date.now() / 1_000) * 1_000);
  const problems: string[] = [];
  const made = issuerOf(() => clock.wallMs());
  const server = createWorkloadApiServer(
    { path, ...settings },
    {
      issuer: made.issuer,
      clock,
      timer: clock.timer,
      // Half way between the bounds: no jitter.
      random: () => Uint8Array.of(0x80, 0, 0, 0),
      onProblem: (detail) => problems.push(detail),
    },
  );
  await server.start();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= server.stop(1_000).catch(() => undefined);
    clock.advance(1_000);
    return stopped;
  };
  context.after(stop);
  return { ...made, server, clock, problems, path, stop, session: () => open(context, path) };
}

function open(context: TestContext, path: string): ClientHttp2Session {
  const session = connect('http://localhost', { createConnection: () => connectNet(path) });
  session.on('error', () => undefined);
  context.after(() => session.destroy());
  return session;
}

const HEAD = {
  ':method': 'POST',
  ':path': '/SpiffeWorkloadAPI/FetchX509SVID',
  'content-type': 'application/grpc',
  te: 'trailers',
  'workload.spiffe.io': 'true',
} as const;
const REQUEST = framed(new Uint8Array(0));

/** Messages as they come on one call. */
function call(session: ClientHttp2Session, path: string = HEAD[':path']) {
  const stream = ask(session, { ...HEAD, ':path': path }, false);
  const messages: Uint8Array[] = [];
  const trailers: Record<string, unknown>[] = [];
  let held = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    for (let end = 0; held.length >= 5 && held.length >= (end = 5 + held.readUInt32BE(1)); held = held.subarray(end))
      messages.push(held.subarray(5, end));
  });
  stream.on('response', (head) => 'grpc-status' in head && trailers.push(head));
  stream.on('trailers', (fields) => trailers.push(fields));
  stream.end(REQUEST);
  const svids = (count: number): Promise<Required<SvidsFields>> =>
    until(`message ${count}`, () => (messages.length >= count ? decodeSvids(messages[count - 1]!) : undefined));
  return { stream, messages, svids, status: () => until('a status', () => trailers[0]) };
}

async function refused(session: ClientHttp2Session, different: Record<string, string>, body: Uint8Array = REQUEST) {
  const stream = ask(session, { ...HEAD, ...different }, false);
  stream.end(body);
  const { headers } = await answer(stream);
  return [headers[':status'], headers['grpc-status'], decodeURIComponent(String(headers['grpc-message'] ?? ''))];
}

/** Entries of a list of half a megabyte. */
function many(from: number) {
  return Array.from({ length: 6_000 }, (_, index) => ({ serial: BigInt(from + index + 2 ** 40) }));
}

describe('FetchX509SVID: the whole state, for each caller', () => {
  test('identities with keys that fit, the bundle, lists and federated bundles', async (context) => {
    const { state, changed, session } = await world(context);
    const foreign = createAuthority({ trustDomain: 'other.org' });
    const crl = root.crl();
    state.identities = [
      { spiffeId: ID, hint: 'internal' },
      { spiffeId: SECOND, hint: '' },
    ];
    state.bundles.set('other.org' as TrustDomain, foreign.bundle);
    state.crls.push(crl.der);
    changed();
    const { svids, crl: lists, federated_bundles } = await call(session()).svids(1);
    assert.deepEqual(
      svids.map(({ spiffe_id, hint }) => [spiffe_id, hint]),
      [
        [ID, 'internal'],
        [SECOND, ''],
      ],
    );
    for (const { bundle } of svids) assert.deepEqual(Buffer.from(bundle ?? []), Buffer.concat(root.bundle));
    assert.deepEqual(
      lists.map((list) => Buffer.from(list)),
      [Buffer.from(crl.der)],
    );
    assert.deepEqual(Object.keys(federated_bundles), ['spiffe://other.org']);
    assert.deepEqual(Buffer.from(federated_bundles['spiffe://other.org'] ?? []), Buffer.concat(foreign.bundle));
  });

  test('two callers, and two streams of one, never share a key', async (context) => {
    const { session, state, server } = await world(context);
    const one = session();
    const calls = [call(one), call(one), call(session())];
    const keys = await Promise.all(calls.map(async ({ svids }) => (await svids(1)).svids[0]?.x509_svid_key));
    assert.equal(new Set(keys.map((key) => Buffer.from(key ?? []).toString('hex'))).size, 3);
    assert.equal(new Set(state.issued).size, 3);
    assert.deepEqual(server.figures(), { callers: 2, streams: 3 });
  });

  test('renewal at half of the lifetime, with a new key', async (context) => {
    const { session, clock } = await world(context);
    const one = call(session());
    const first = await one.svids(1);
    clock.advance(HOUR / 2 - 1_000);
    assert.equal(one.messages.length, 1);
    clock.advance(1_001);
    const second = await one.svids(2);
    assert.notDeepEqual(second.svids[0]?.x509_svid_key, first.svids[0]?.x509_svid_key);
    assert.notDeepEqual(second.svids[0]?.x509_svid, first.svids[0]?.x509_svid);
  });

  test('a renewal that fails is told once and tried again; the SVID stays until its end, and then the stream ends', async (context) => {
    const { session, clock, state, problems } = await world(context);
    const one = call(session());
    await one.svids(1);
    state.refusal = { kind: 'unavailable', detail: 'the store is full' };
    clock.advance(HOUR / 2 + 1);
    await until('the failure', () => problems.length === 1);
    assert.deepEqual(problems, [`no SVID for ${ID}: the store is full`]);
    for (let minute = 0; minute < 25; minute++) {
      await until('the next look', () => clock.timers > 0);
      clock.advance(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual([one.messages.length, problems.length, one.stream.closed], [1, 1, false]);
    clock.advance(5 * 60_000);
    await until('the last look', () => clock.timers > 0);
    clock.advance(1_000);
    assert.deepEqual((await one.status())['grpc-status'], '14');
  });

  test('a renewal that failed and works again gives the next message', async (context) => {
    const { session, clock, state, problems } = await world(context);
    const one = call(session());
    await one.svids(1);
    state.refusal = { kind: 'unavailable', detail: 'later' };
    clock.advance(HOUR / 2 + 1);
    await until('the failure', () => problems.length === 1);
    state.refusal = undefined;
    await until('the pause', () => clock.timers > 0);
    clock.advance(1_000);
    await one.svids(2);
  });

  test('an ID that is refused at renewal is gone at once', async (context) => {
    const { session, clock, state } = await world(context);
    const one = call(session());
    await one.svids(1);
    state.refusal = { kind: 'refused', detail: 'no such registration' };
    clock.advance(HOUR / 2 + 1);
    assert.equal((await one.status())['grpc-status'], '7');
  });

  test('another bundle is sent with the same SVID', async (context) => {
    const { session, state, changed } = await world(context);
    const one = call(session());
    const first = await one.svids(1);
    const next = createAuthority();
    state.bundles.set('example.org' as TrustDomain, [...root.bundle, ...next.bundle]);
    changed();
    const second = await one.svids(2);
    assert.deepEqual(second.svids[0]?.x509_svid, first.svids[0]?.x509_svid);
    assert.deepEqual(Buffer.from(second.svids[0]?.bundle ?? []), Buffer.concat([...root.bundle, ...next.bundle]));
  });

  test('an SVID whose root is removed, or that is revoked, is made anew in the same message', async (context) => {
    const { session, state, changed } = await world(context);
    const one = call(session());
    const first = await one.svids(1);
    const next = createAuthority();
    state.signer = next;
    state.bundles.set('example.org' as TrustDomain, next.bundle);
    changed();
    const second = await one.svids(2);
    assert.notDeepEqual(second.svids[0]?.x509_svid, first.svids[0]?.x509_svid);
    assert.deepEqual(Buffer.from(second.svids[0]?.bundle ?? []), Buffer.concat(next.bundle));
    state.crls = [next.crl({ revoked: [{ serial: state.issued[1] ?? 0n }] }).der];
    changed();
    const third = await one.svids(3);
    assert.notDeepEqual(third.svids[0]?.x509_svid, second.svids[0]?.x509_svid);
    assert.equal(third.crl.length, 1);
    assert.equal(state.issued.length, 3);
  });

  test('what was issued under a root that is not in the bundle is not handed out', async (context) => {
    const { session, state, problems } = await world(context);
    state.signer = createAuthority();
    assert.equal((await call(session()).status())['grpc-status'], '14');
    assert.match(problems[0] ?? '', /does not stand in the present trust bundle/);
  });

  test('a change that changes nothing sends nothing; identities that come and go are sent', async (context) => {
    const { session, state, listeners, changed } = await world(context);
    const one = call(session());
    await one.svids(1);
    listeners.forEach((listener) => listener());
    state.identities = [...state.identities, { spiffeId: SECOND, hint: '' }];
    changed();
    assert.equal((await one.svids(2)).svids.length, 2);
    state.identities = [{ spiffeId: SECOND, hint: 'only' }];
    changed();
    const third = await one.svids(3);
    assert.deepEqual(
      third.svids.map(({ spiffe_id, hint }) => [spiffe_id, hint]),
      [[SECOND, 'only']],
    );
    assert.equal(state.issued.length, 2);
    assert.equal(one.messages.length, 3);
  });

  test('one identity that cannot be had does not keep the other from its caller', async (context) => {
    const { session, state, issuer, problems } = await world(context);
    state.identities = [...state.identities, { spiffeId: SECOND, hint: '' }];
    const svid = issuer.svid.bind(issuer);
    issuer.svid = (id) => (id === ID ? Promise.resolve(err({ kind: 'refused', detail: 'no' })) : svid(id));
    const { svids } = await call(session()).svids(1);
    assert.deepEqual(
      svids.map(({ spiffe_id }) => spiffe_id),
      [SECOND],
    );
    assert.deepEqual(problems, [`no SVID for ${ID}: no`]);
  });

  test('PermissionDenied where there is no identity, and when the last one goes', async (context) => {
    const { session, state, changed } = await world(context);
    const one = call(session());
    await one.svids(1);
    state.identities = [];
    changed();
    assert.equal((await one.status())['grpc-status'], '7');
    const { 'grpc-status': code, 'grpc-message': message } = await call(session()).status();
    assert.deepEqual([code, message], ['7', 'no%20identity%20issued']);
  });

  test('keys are forgotten when the caller is gone', async (context) => {
    const { session, server, clock, changed, state } = await world(context);
    const one = session();
    await call(one).svids(1);
    one.destroy();
    await until('the end', () => server.figures().streams === 0 && server.figures().callers === 0);
    changed();
    clock.advance(10 * HOUR);
    assert.deepEqual([state.issued.length, clock.timers], [1, 0]);
  });

  test('a caller that does not read gets the newest state when it does, not all of them', async (context) => {
    const { session, state, changed, server } = await world(context);
    // The window of the connection is full at once.
    const one = call(session());
    await one.svids(1);
    one.stream.pause();
    const before = process.memoryUsage().arrayBuffers;
    for (let round = 0; round < 12; round++) {
      state.crls = [root.crl({ revoked: many(round * 10_000) }).der];
      changed();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 64_000_000);
    const last = Buffer.from(state.crls[0] ?? []);
    one.stream.resume();
    await until('the newest', () => {
      const message = one.messages.at(-1);
      return message !== undefined && Buffer.from(decodeSvids(message).crl[0] ?? []).equals(last);
    });
    assert.ok(one.messages.length < 13, `${one.messages.length} messages`);
    one.stream.pause();
    changed();
    one.stream.close(constants.NGHTTP2_CANCEL);
    await until('the end', () => server.figures().streams === 0);
  });
});

describe('FetchX509Bundles', () => {
  const PATH = '/SpiffeWorkloadAPI/FetchX509Bundles';
  test('all bundles by SPIFFE ID of the trust domain, lists, and what changes', async (context) => {
    const { session, state, changed, issuer } = await world(context);
    const foreign = createAuthority({ trustDomain: 'other.org' });
    const one = call(session(), PATH);
    const first = await until('a message', () => one.messages[0] && decodeBundles(one.messages[0]));
    assert.deepEqual(Object.keys(first.bundles), ['spiffe://example.org']);
    state.bundles.set('other.org' as TrustDomain, foreign.bundle);
    state.crls = [root.crl().der];
    changed();
    const second = await until('a message', () => one.messages[1] && decodeBundles(one.messages[1]));
    assert.deepEqual(
      Object.entries(second.bundles).map(([domain, der]) => [domain, Buffer.from(der).toString('hex')]),
      [
        ['spiffe://example.org', Buffer.concat(root.bundle).toString('hex')],
        ['spiffe://other.org', Buffer.concat(foreign.bundle).toString('hex')],
      ],
    );
    assert.equal(second.crl.length, 1);
    assert.equal(state.issued.length, 0);
    state.identities = [];
    changed();
    assert.equal((await one.status())['grpc-status'], '7');
    assert.equal(issuer.identities().length, 0);
  });
});

describe('SPIFFE_Workload_Endpoint 6: what is no call of ours', () => {
  const cases: readonly (readonly [string, Record<string, string>, Uint8Array | undefined, readonly unknown[]])[] = [
    [
      'no security header',
      { 'workload.spiffe.io': '' },
      undefined,
      [200, '3', 'metadata workload.spiffe.io: true is missing'],
    ],
    [
      'a security header of another value',
      { 'workload.spiffe.io': 'TRUE' },
      undefined,
      [200, '3', 'metadata workload.spiffe.io: true is missing'],
    ],
    ...['FetchJWTSVID', 'FetchJWTBundles', 'ValidateJWTSVID', 'FetchWITSVID', 'FetchWITBundles', 'Else'].map(
      (name) =>
        [
          `${name} is not implemented`,
          { ':path': `/SpiffeWorkloadAPI/${name}` },
          undefined,
          [200, '12', 'this server has X509-SVIDs and X.509 bundles only'],
        ] as const,
    ),
    [
      'another service',
      { ':path': '/grpc.health.v1.Health/Check' },
      undefined,
      [200, '12', 'this server has X509-SVIDs and X.509 bundles only'],
    ],
    ['GET', { ':method': 'PUT' }, undefined, [405, undefined, '']],
    ['no gRPC', { 'content-type': 'application/json' }, undefined, [415, undefined, '']],
    ['no message', {}, new Uint8Array(0), [200, '3', 'a request has exactly one message']],
    ['two messages', {}, Buffer.concat([REQUEST, REQUEST]), [200, '3', 'a request has exactly one message']],
    ['half a message', {}, REQUEST.subarray(0, 4), [200, '3', 'a request has exactly one message']],
    [
      'a compressed message',
      {},
      framed(new Uint8Array(1), 1),
      [200, '12', 'a compressed message, which nobody asked for'],
    ],
    ['a large message', {}, framed(new Uint8Array(5_000)), [200, '8', 'a message of 5000 bytes; 4096 are allowed']],
  ];
  for (const [name, different, body, expected] of cases) {
    test(name, async (context) => {
      const { session, server, state } = await world(context);
      assert.deepEqual(await refused(session(), different, body), expected);
      await until('the end', () => server.figures().streams === 0);
      assert.equal(state.issued.length, 0);
    });
  }

  test('a request that does not end is refused after ten seconds, and its stream is gone', async (context) => {
    const { session, clock, server } = await world(context);
    const stream = ask(session(), HEAD, false);
    await until('the stream', () => server.figures().streams === 1);
    const answered = answer(stream);
    let head = false;
    stream.once('response', () => (head = true));
    clock.advance(10_000);
    await until('the answer', () => head);
    clock.advance(1_000);
    const { headers } = await answered;
    assert.equal(headers['grpc-status'], '3');
    await until('the end', () => server.figures().streams === 0);
  });
});

describe('bounds', () => {
  test('streams beyond the most are told ResourceExhausted, and find room when others end', async (context) => {
    const { session, server } = await world(context, { maxStreams: 2 });
    const one = session();
    const calls = [call(one), call(one)];
    await Promise.all(calls.map(({ svids }) => svids(1)));
    assert.equal((await call(one).status())['grpc-status'], '8');
    calls[0]?.stream.close(constants.NGHTTP2_CANCEL);
    await until('room', () => server.figures().streams === 1);
    await call(one).svids(1);
  });

  test('connections beyond the most are closed', async (context) => {
    const { session, path, server } = await world(context, { maxCallers: 1 });
    await call(session()).svids(1);
    const more = connectNet(path);
    more.on('error', () => undefined);
    context.after(() => more.destroy());
    await until('the end', () => more.closed);
    assert.equal(server.figures().callers, 1);
  });

  test('a connection without a stream is closed after a minute, one with a stream stays', async (context) => {
    const { session, server, clock } = await world(context);
    const busy = session();
    await call(busy).svids(1);
    const silent = session();
    await until('two callers', () => server.figures().callers === 2);
    clock.advance(60_000);
    await until('the end', () => server.figures().callers === 1 && silent.destroyed);
    await call(busy).svids(1);
  });

  test('what is no HTTP/2 harms nobody', async (context) => {
    const { session, path, server } = await world(context);
    const stranger = connectNet(path);
    stranger.on('error', () => undefined);
    stranger.resume();
    stranger.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('the end', () => stranger.closed);
    await call(session()).svids(1);
    assert.equal(server.figures().callers, 1);
  });
});

describe('stop', () => {
  test('streams end with Unavailable, connections close, timers and listeners are gone, the socket is removed', async (context) => {
    const { session, server, clock, listeners, path } = await world(context);
    const one = call(session());
    await one.svids(1);
    const idle = session();
    await until('two callers', () => server.figures().callers === 2);
    await Promise.all([server.stop(1_000), one.status().then((status) => assert.equal(status['grpc-status'], '14'))]);
    assert.deepEqual([server.figures(), clock.timers, listeners.size], [{ callers: 0, streams: 0 }, 0, 0]);
    await until('the end', () => idle.destroyed);
    const late = connectNet(path);
    const error = await new Promise<Error>((resolve) => late.once('error', resolve));
    assert.match(error.message, /ENOENT/);
  });
});
