import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { describe, test } from 'node:test';

import { createWorkloadApiClient, createWorkloadBundlesClient } from '../../../src/io/workload-api/client.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import {
  bytes,
  framed,
  head,
  inOrder,
  messages,
  onlyHead,
  reset,
  startFakeWorkloadApi,
  startStranger,
  status,
  trailers,
} from '../../support/fake-workload-api/fake.ts';
import { encodeBundles, encodeSvids, pkcs8, svidFields } from '../../support/fake-workload-api/messages.ts';
import { createAuthority } from '../../support/pki.ts';
import { until } from '../../support/until.ts';

import type { TestContext } from 'node:test';
import type { BundlesUpdate, WorkloadUpdate } from '../../../src/io/workload-api/read-update.ts';
import type { WatchDeps } from '../../../src/io/workload-api/watch.ts';
import type { Act } from '../../support/fake-workload-api/fake.ts';
import type { SvidFields } from '../../support/fake-workload-api/messages.ts';

const ID = 'spiffe://example.org/agent';
const authority = createAuthority();
const foreign = createAuthority({ trustDomain: 'other.org' });
const leaf = authority.issue({ id: ID });
const later = authority.issue({ id: ID });

const good = encodeSvids({ svids: [svidFields(authority, leaf, ID)] });
const newer = encodeSvids({ svids: [svidFields(authority, later, ID)] });
const answered = (...all: readonly Uint8Array[]): Act => inOrder(head(), messages(...all));

/** One message whose only SVID differs in these fields. */
const svid = (different: SvidFields): Uint8Array =>
  encodeSvids({ svids: [svidFields(authority, leaf, ID, different)] });

/** What a client told, in order. Its time is the test's: a hundred days from the start of the PKI would do as well as today. */
function listener<T>() {
  const clock = createDrivenClock(Date.now());
  const updates: T[] = [];
  const problems: (string | undefined)[] = [];
  const deps: WatchDeps<T> = {
    clock,
    random: (length) => new Uint8Array(length),
    timer: clock.timer,
    onUpdate: (update) => updates.push(update),
    onProblem: (problem) => problems.push(problem),
  };
  return { clock, updates, problems, deps };
}

function follow(context: TestContext, socket: string | undefined) {
  const heard = listener<WorkloadUpdate>();
  const client = createWorkloadApiClient({ socket }, heard.deps);
  context.after(() => client.stop());
  client.start();
  return { ...heard, client };
}

const problemOf = (problems: readonly (string | undefined)[]): Promise<string> =>
  until('a problem', () => problems.at(-1));

describe('SPIFFE_Workload_API 5.2.1: every message is the whole state', () => {
  test('identities with key and bundle, federated bundles and lists arrive as they were sent', async (context) => {
    const crl = authority.crl();
    const second = authority.issue({ id: 'spiffe://example.org/second' });
    const message = encodeSvids({
      svids: [
        svidFields(authority, leaf, ID, { hint: 'internal' }),
        svidFields(authority, second, 'spiffe://example.org/second', { hint: 'external' }),
      ],
      crl: [crl.der],
      federated_bundles: { 'spiffe://other.org': Buffer.concat(foreign.bundle) },
    });
    const fake = await startFakeWorkloadApi(context, answered(message));
    const { updates, problems } = follow(context, fake.socket);
    const update = await until('an update', () => updates[0]);
    assert.deepEqual(
      update.svids.map(({ spiffeId, hint, chain, bundle, privateKey }) => ({
        spiffeId,
        hint,
        chain: Buffer.concat(chain).toString('hex'),
        bundle: Buffer.concat(bundle).toString('hex'),
        key: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('hex'),
      })),
      [[leaf, ID, 'internal'] as const, [second, 'spiffe://example.org/second', 'external'] as const].map(
        ([one, spiffeId, hint]) => ({
          spiffeId,
          hint,
          chain: Buffer.concat(one.chain).toString('hex'),
          bundle: Buffer.concat(authority.bundle).toString('hex'),
          key: Buffer.from(pkcs8(one)).toString('hex'),
        }),
      ),
    );
    assert.deepEqual(
      update.crls.map((der) => Buffer.from(der).toString('hex')),
      [Buffer.from(crl.der).toString('hex')],
    );
    assert.deepEqual([...update.federated.keys()], ['other.org']);
    assert.deepEqual(
      [...update.federated.values()].flat().map((der) => Buffer.from(der)),
      foreign.bundle.map((der) => Buffer.from(der)),
    );
    assert.deepEqual(problems, []);
  });

  test('what a later message does not have is gone', async (context) => {
    const rich = encodeSvids({
      svids: [svidFields(authority, leaf, ID)],
      crl: [authority.crl().der],
      federated_bundles: { 'spiffe://other.org': Buffer.concat(foreign.bundle) },
    });
    const fake = await startFakeWorkloadApi(context, answered(rich, newer));
    const { updates } = follow(context, fake.socket);
    await until('two updates', () => updates.length === 2);
    assert.deepEqual([updates[1]?.crls, [...(updates[1]?.federated ?? [])]], [[], []]);
    assert.deepEqual(Buffer.from(updates[1]?.svids[0]?.chain[0] ?? []), Buffer.from(later.der));
  });

  test('of two SVIDs with one hint the first counts, without a hint both do', async (context) => {
    const three = ['a', 'b', 'c'].map((name) => `spiffe://example.org/${name}`);
    const fields = (hint: string) =>
      encodeSvids({ svids: three.map((id) => svidFields(authority, authority.issue({ id }), id, { hint })) });
    const fake = await startFakeWorkloadApi(context, answered(fields('same'), fields('')));
    const { updates } = follow(context, fake.socket);
    await until('two updates', () => updates.length === 2);
    assert.deepEqual(
      updates.map(({ svids }) => svids.map(({ spiffeId }) => spiffeId)),
      [three.slice(0, 1), three],
    );
  });

  test('the call is gRPC with the security header, and its request one empty message', async (context) => {
    const sent: Buffer[] = [];
    const fake = await startFakeWorkloadApi(
      context,
      (stream) => void stream.on('data', (chunk: Buffer) => sent.push(chunk)),
    );
    follow(context, fake.socket);
    await until('the request', () => Buffer.concat(sent).length === 5);
    const [asked] = fake.calls;
    assert.deepEqual(
      [':method', ':path', 'content-type', 'te', 'workload.spiffe.io'].map((name) => asked?.[name]),
      ['POST', '/SpiffeWorkloadAPI/FetchX509SVID', 'application/grpc', 'trailers', 'true'],
    );
    assert.equal(Buffer.concat(sent).toString('hex'), '0000000000');
  });
});

describe('SPIFFE_Workload_API 5.2.1: a message with a malformed or empty mandatory field is discarded whole', () => {
  const otherKey = pkcs8(later);
  const otherLeaf = authority.issue({ id: 'spiffe://example.org/else' });
  const twoLeaves = Buffer.concat([...leaf.chain, ...later.chain]);
  const expired = authority.issue({ id: ID, notAfter: new Date(Date.now() - 1_000) });
  const early = authority.issue({ id: ID, notBefore: new Date(Date.now() + 3_600_000) });
  const ca = authority.issue({ id: ID, cA: true, keyUsage: ['digitalSignature', 'keyCertSign'] });
  const fieldsOf = (one: typeof leaf): SvidFields => svidFields(authority, one, ID);
  const one = svidFields(authority, leaf, ID);
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['no protobuf', Buffer.from('ffffffffffffffffffffffff', 'hex'), /a field without a readable tag/],
    ['protobuf that is cut off', good.subarray(0, -1), /is cut off or of a type that does not occur/],
    ['no svids', encodeSvids({}), /svids is empty/],
    ['an svid without anything', encodeSvids({ svids: [{}] }), /svid 1: spiffe_id is empty/],
    ['no spiffe_id', svid({ spiffe_id: '' }), /svid 1: spiffe_id is empty/],
    ['no x509_svid', svid({ x509_svid: new Uint8Array(0) }), /svid 1: x509_svid is empty/],
    ['no x509_svid_key', svid({ x509_svid_key: new Uint8Array(0) }), /svid 1: x509_svid_key is empty/],
    ['no bundle', svid({ bundle: new Uint8Array(0) }), /svid 1: bundle is empty/],
    ['a spiffe_id that is none', svid({ spiffe_id: 'https://example.org/agent' }), /spiffe_id: .*scheme is not spiffe/],
    ['the ID of another', svid({ spiffe_id: 'spiffe://example.org/x' }), /spiffe_id is not the ID in the certificate/],
    ['a certificate for another ID', svid(pick(svidFields(authority, otherLeaf, ID))), /not the ID in the certificate/],
    ['a key that does not fit', svid({ x509_svid_key: otherKey }), /the private key is not that of the certificate/],
    ['a key that is none', svid({ x509_svid_key: Buffer.from('key') }), /x509_svid_key is no private key in PKCS#8/],
    ['a certificate that is none', svid({ x509_svid: Buffer.from('cert') }), /x509_svid: certificate 1: tag/],
    [
      'a certificate and rubbish',
      svid({ x509_svid: Buffer.concat([leaf.der, Buffer.from([0])]) }),
      /certificate 2: tag/,
    ],
    ['half a certificate', svid({ x509_svid: leaf.der.slice(0, -1) }), /x509_svid: .*longer than what holds it/],
    ['two leaves', svid({ x509_svid: twoLeaves }), /certificate 2: is not the issuer of the one before it/],
    ['eleven certificates', svid({ x509_svid: Buffer.concat(Array(11).fill(leaf.der)) }), /more than 10 certificates/],
    ['an expired certificate', svid(pick(fieldsOf(expired))), /certificate 1: expired at/],
    ['one that is not yet valid', svid(pick(fieldsOf(early))), /certificate 1: not valid before/],
    ['a CA as leaf', svid(pick(fieldsOf(ca))), /x509_svid: leaf: cA is set/],
    ['a bundle that is none', svid({ bundle: Buffer.from('bundle') }), /svid 1: bundle: certificate 1: tag/],
    ['a leaf as bundle', svid({ bundle: leaf.der }), /trust bundle of example.org, certificate 1: /],
    [
      'a second svid that is wrong',
      encodeSvids({ svids: [one, { ...one, bundle: new Uint8Array(0) }] }),
      /svid 2: bundle/,
    ],
    [
      'two bundles for one domain',
      encodeSvids({ svids: [one, { ...one, bundle: Buffer.concat(createAuthority().bundle) }] }),
      /svid 2: example.org has two bundles that differ/,
    ],
    ['a list that is none', encodeSvids({ svids: [one], crl: [Buffer.from('list')] }), /revocation list 1: /],
    [
      'a list with a broken signature',
      encodeSvids({ svids: [one], crl: [authority.crl({ breakSignature: true }).der] }),
      /revocation list 1: .*is not signed by/,
    ],
    [
      'a federated bundle that is none',
      encodeSvids({ svids: [one], federated_bundles: { 'spiffe://other.org': Buffer.from('x') } }),
      /federated_bundles of other.org: certificate 1/,
    ],
    [
      'a federated bundle of no domain',
      encodeSvids({ svids: [one], federated_bundles: { 'spiffe://Other.org/x': Buffer.concat(foreign.bundle) } }),
      /federated_bundles: a key is no trust domain/,
    ],
    [
      'another bundle for our own domain',
      encodeSvids({
        svids: [one],
        federated_bundles: { 'spiffe://example.org': Buffer.concat(createAuthority().bundle) },
      }),
      /federated_bundles: example.org has two bundles that differ/,
    ],
    ['too many svids', encodeSvids({ svids: Array.from({ length: 129 }, () => ({})) }), /more than 128 svids/],
    [
      'too many lists',
      encodeSvids({ svids: [one], crl: Array.from({ length: 257 }, () => new Uint8Array(1)) }),
      /more than 256/,
    ],
  ];
  for (const [name, message, said] of cases) {
    test(`${name}: reported, the last good one stays, and the stream is read on`, async (context) => {
      const fake = await startFakeWorkloadApi(context, answered(good, message, newer));
      const { updates, problems } = follow(context, fake.socket);
      await until('the second good message', () => updates.length === 2);
      assert.equal(problems.length, 2, JSON.stringify(problems));
      assert.match(problems[0] ?? '', said);
      assert.match(problems[0] ?? '', /^unix:.*: a message was discarded, the last good one stays: /);
      assert.equal(problems[1], undefined);
      assert.equal(fake.calls.length, 1);
    });
  }

  test('no text says anything of a key', async (context) => {
    const fake = await startFakeWorkloadApi(context, answered(svid({ x509_svid_key: Buffer.from('my secret key') })));
    const { problems } = follow(context, fake.socket);
    assert.doesNotMatch(await problemOf(problems), /secret/);
  });
});

function pick({ x509_svid, x509_svid_key }: SvidFields): SvidFields {
  return { ...(x509_svid && { x509_svid }), ...(x509_svid_key && { x509_svid_key }) };
}

describe('a stream that breaks is reported, the last good state stays, and it is asked again after a pause', () => {
  const cases: readonly (readonly [string, Act, RegExp])[] = [
    ['a compressed message', inOrder(bytes(framed(good, 1))), /a compressed message, which nobody asked for/],
    ['a message over 4 MiB', inOrder(bytes(framed(new Uint8Array(0), 0, 4_194_305))), /of 4194305 bytes; 4194304 are/],
    ['a message of 4 GiB', inOrder(bytes(framed(new Uint8Array(0), 0, 0xff_ff_ff_ff))), /4294967295 bytes/],
    ['half a message', inOrder(bytes(framed(good).subarray(0, 40)), trailers({ 'grpc-status': '0' })), /ended within/],
    ['no status at the end', (stream) => void stream.end(), /ended without a status/],
    ['a status that is none', inOrder(trailers({ 'grpc-status': 'fine' })), /ended without a status/],
    ['the status OK', inOrder(trailers({ 'grpc-status': '0' })), /: the stream ended$/],
    [
      'Internal',
      inOrder(trailers({ 'grpc-status': '13', 'grpc-message': 'out%20of%20order' })),
      /Internal: out of order/,
    ],
    ['a code that nobody knows', inOrder(trailers({ 'grpc-status': '99' })), /status 99/],
    ['Unavailable', inOrder(trailers({ 'grpc-status': '14' })), /Unavailable/],
    ['PermissionDenied', inOrder(trailers({ 'grpc-status': '7', 'grpc-message': 'none' })), /PermissionDenied: none/],
    ['a reset stream', inOrder(reset(constants.NGHTTP2_INTERNAL_ERROR)), /reset with code 2|ERR_HTTP2_STREAM_ERROR/],
    [
      'a reset within a message',
      inOrder(bytes(framed(good).subarray(0, 40)), reset(constants.NGHTTP2_CANCEL)),
      /reset with code 8|ERR_HTTP2/,
    ],
    [
      'GOAWAY with an error',
      (stream) => stream.session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM),
      /\(GOAWAY\)|ended with an error/,
    ],
    ['a connection that is gone', (stream) => stream.session?.destroy(), /reset|closed|ended|without a status/],
  ];
  for (const [name, act, said] of cases) {
    test(name, async (context) => {
      const fake = await startFakeWorkloadApi(context, answered(good), answered(newer));
      const { updates, problems, clock } = follow(context, fake.socket);
      await until('the good message', () => updates.length === 1);
      await act(fake.stream());
      assert.match(await problemOf(problems), said);
      assert.equal(updates.length, 1);
      await until('the pause', () => clock.timers === 1);
      clock.advance(499);
      assert.equal(fake.calls.length, 1);
      clock.advance(1);
      await until('the next update', () => updates.length === 2);
      assert.equal(problems.at(-1), undefined);
    });
  }

  const heads: readonly (readonly [string, Act, RegExp])[] = [
    ['PermissionDenied at once', status(7, 'no identity issued'), /PermissionDenied: no identity issued/],
    ['Unavailable at once', status(14), /Unavailable/],
    ['no gRPC', onlyHead({ 'content-type': 'text/html' }), /what answers is no gRPC service/],
    ['HTTP 503', onlyHead({ ':status': 503, 'content-type': 'text/html' }), /Unavailable: HTTP status 503/],
    ['HTTP 403', onlyHead({ ':status': 403, 'content-type': 'text/html' }), /PermissionDenied: HTTP status 403/],
    ['HTTP 302', onlyHead({ ':status': 302 }), /Unknown: HTTP status 302/],
    [
      'an encoding nobody asked for',
      inOrder(head({ 'grpc-encoding': 'gzip' }), messages(good)),
      /it compresses messages/,
    ],
  ];
  for (const [name, act, said] of heads) {
    test(name, async (context) => {
      const fake = await startFakeWorkloadApi(context, act, answered(good));
      const { updates, problems, clock } = follow(context, fake.socket);
      assert.match(await problemOf(problems), said);
      assert.equal(updates.length, 0);
      await until('the pause', () => clock.timers === 1);
      clock.advance(500);
      await until('the update', () => updates.length === 1);
    });
  }

  test('silence for thirty seconds is a failure, and afterwards is not', async (context) => {
    const fake = await startFakeWorkloadApi(context, () => undefined, answered(good));
    const { updates, problems, clock } = follow(context, fake.socket);
    await until('the call', () => fake.calls.length === 1);
    clock.advance(29_999);
    assert.deepEqual(problems, []);
    clock.advance(1);
    assert.match(await problemOf(problems), /no message within 30 s/);
    clock.advance(500);
    await until('the update', () => updates.length === 1);
    assert.equal(clock.timers, 0);
    clock.advance(3_600_000);
    assert.deepEqual([fake.calls.length, problems.at(-1)], [2, undefined]);
  });

  for (const [name, said, open] of [
    ['nothing at the path', /there is no such socket; is the agent running/, () => 'unix:///nowhere/api.sock'],
    [
      'an HTTP/1.1 server',
      /./,
      (context: TestContext) => startStranger(context, 'HTTP/1.1 400 Bad Request\r\n\r\n', true),
    ],
    ['one that hangs up', /./, (context: TestContext) => startStranger(context, '', true)],
  ] as const) {
    test(`${name} is reported, and tried again`, async (context) => {
      const { problems, clock, updates } = follow(context, await open(context));
      const problem = await problemOf(problems);
      assert.match(problem, /^unix:\/\//);
      assert.match(problem, said);
      await until('the pause', () => clock.timers === 1);
      assert.equal(updates.length, 0);
    });
  }
});

describe('SPIFFE_Workload_API 6.1: when a stream is opened again', () => {
  test('at once where it had been good for a second', async (context) => {
    const fake = await startFakeWorkloadApi(context, answered(good), answered(newer));
    const { updates, problems, clock } = follow(context, fake.socket);
    await until('an update', () => updates.length === 1);
    clock.advance(1_000);
    fake.stream().session?.destroy();
    await until('the next update', () => updates.length === 2);
    assert.deepEqual([problems, clock.timers], [[], 0]);
  });

  test('after pauses that double to thirty seconds, half of which is chance', async (context) => {
    const { problems, clock } = follow(context, 'unix:///nowhere/api.sock');
    for (const pauseMs of [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
      await until('the pause', () => clock.timers === 1);
      clock.advance(pauseMs - 1);
      assert.equal(clock.timers, 1);
      clock.advance(1);
      assert.ok(clock.timers === 1, 'the time for the first message runs');
      await until('the attempt to fail', () => clock.timers === 1 && problems.length === 1);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  test('after the first pause again where a good message came in between', async (context) => {
    const fake = await startFakeWorkloadApi(context, status(14), answered(good), answered(newer));
    const { updates, problems, clock } = follow(context, fake.socket);
    await until('the pause', () => problems.length === 1 && clock.timers === 1);
    clock.advance(500);
    await until('the update', () => updates.length === 1);
    fake.stream().session?.destroy();
    await until('the pause', () => clock.timers === 1);
    clock.advance(500);
    await until('the next update', () => updates.length === 2);
  });

  for (const [code, name] of [
    [3, 'InvalidArgument'],
    [12, 'Unimplemented'],
  ] as const) {
    test(`never after ${name}, before a reload`, async (context) => {
      const fake = await startFakeWorkloadApi(context, status(code, 'no'), answered(good));
      const { updates, problems, clock, client } = follow(context, fake.socket);
      assert.match(await problemOf(problems), new RegExp(`${name}: no; this is not asked again before a reload`));
      assert.equal(clock.timers, 0);
      clock.advance(3_600_000);
      assert.equal(fake.calls.length, 1);
      client.reload();
      await until('the update', () => updates.length === 1);
      assert.equal(problems.at(-1), undefined);
    });
  }

  test('a reload in the middle of a pause asks at once, and nothing is asked after stop', async (context) => {
    const fake = await startFakeWorkloadApi(context, status(14), answered(good));
    const { updates, problems, clock, client } = follow(context, fake.socket);
    await problemOf(problems);
    client.reload();
    await until('the update', () => updates.length === 1);
    await client.stop();
    client.reload();
    clock.advance(3_600_000);
    assert.deepEqual([fake.calls.length, clock.timers], [2, 0]);
  });

  test('stop while a message is being told tells nothing more', async (context) => {
    const fake = await startFakeWorkloadApi(context, answered(good, newer));
    const heard = listener<WorkloadUpdate>();
    let ended: Promise<void> | undefined;
    const client = createWorkloadApiClient(
      { socket: fake.socket },
      { ...heard.deps, onUpdate: (update) => void (heard.updates.push(update), (ended = client.stop())) },
    );
    client.start();
    await until('the end', () => ended !== undefined);
    await ended;
    assert.deepEqual([heard.updates.length, heard.problems], [1, []]);
  });
});

describe('the socket', () => {
  test('none is named: reported, not tried', (context) => {
    const { problems, clock } = follow(context, undefined);
    assert.match(problems[0] ?? '', /set identity.workloadApi.socket or SPIFFE_ENDPOINT_SOCKET/);
    assert.equal(clock.timers, 0);
  });

  test('a bad one is reported by name, not tried', (context) => {
    const { problems, clock } = follow(context, 'http://127.0.0.1:80');
    assert.match(problems[0] ?? '', /"http:\/\/127.0.0.1:80" is neither unix/);
    assert.equal(clock.timers, 0);
  });
});

describe('SPIFFE_Workload_API 5.2.2: FetchX509Bundles', () => {
  const bundle = Buffer.concat(authority.bundle);
  test('bundles by trust domain, and lists', async (context) => {
    const fake = await startFakeWorkloadApi(
      context,
      answered(
        encodeBundles({ bundles: { 'spiffe://example.org': bundle, 'other.org': new Uint8Array(0) } }),
        encodeBundles({}),
        encodeBundles({ bundles: { 'spiffe://example.org': leaf.der } }),
        encodeBundles({ bundles: { 'spiffe://a.org': bundle, 'a.org': Buffer.concat(foreign.bundle) } }),
        encodeBundles({ bundles: { 'spiffe://example.org': bundle }, crl: [authority.crl().der] }),
      ),
    );
    const { updates, problems, deps } = listener<BundlesUpdate>();
    const client = createWorkloadBundlesClient({ socket: fake.socket }, deps);
    context.after(() => client.stop());
    client.start();
    await until('two updates', () => updates.length === 2);
    assert.equal(fake.calls[0]?.[':path'], '/SpiffeWorkloadAPI/FetchX509Bundles');
    assert.deepEqual(
      updates.map(({ bundles, crls }) => [[...bundles].map(([domain, list]) => [domain, list.length]), crls.length]),
      [
        [
          [
            ['example.org', 1],
            ['other.org', 0],
          ],
          0,
        ],
        [[['example.org', 1]], 1],
      ],
    );
    assert.match(problems.join('\n'), /bundles is empty[^]*certificate 1: [^]*a.org has two bundles that differ/);
  });
});
