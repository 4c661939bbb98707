import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import { describe, test } from 'node:test';

import { Gate } from '../../../src/core/gate/gate.ts';
import type { Permit } from '../../../src/core/gate/permit.ts';
import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import { DEFAULT_LIMITS, STRICT_PATHS } from '../../../src/core/model/limits.ts';
import type { DecisionRecord } from '../../../src/core/model/record.ts';
import { createRecorder } from '../../../src/core/record/recorder.ts';
import type { HttpExchange, TcpExchange } from '../../../src/io/listen/downstream.ts';
import { createPlainListener } from '../../../src/io/listen/plain-listener.ts';
import type { Listener } from '../../../src/io/listen/port-listener.ts';
import type { PlainListenSettings } from '../../../src/io/listen/settings.ts';
import { destinations, destinationTo } from '../../support/destination.ts';
import { FakeJournal, FakePolicy } from '../../support/fake-gate-world.ts';
import { connectRaw, type RawPeer, valueOf } from '../../support/raw-http1-peer.ts';
import { readAll, until } from './harness.ts';

const random = (length: number): Uint8Array => randomBytes(length);

/** The gate behind a real listener, with a forwarder that answers 200 with what it was permitted. */
class OutboundWire implements AsyncDisposable {
  readonly journal = new FakeJournal();
  readonly policy = new FakePolicy(true);
  readonly permits: Permit[] = [];
  readonly #listener: Listener<PlainListenSettings>;
  readonly #open: { close(): void }[] = [];
  port = 0;

  constructor() {
    const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
    const recorder = createRecorder({ labels: {} });
    const gate = new Gate<HttpExchange, TcpExchange>(
      {
        mode: 'enforce',
        limits: DEFAULT_LIMITS,
        tolerance: STRICT_PATHS,
        listener: 'plain:0',
        destinations: destinations(destinationTo('tools.internal'), destinationTo('*.eu.internal')),
      },
      {
        clock,
        random,
        identity: () => assert.fail('nobody is judged'),
        ownId: () => 'spiffe://example.org/agent' as SpiffeId,
        policy: () => this.policy,
        descriptors: () => undefined,
        record: (facts) => recorder.record(facts),
        journal: this.journal,
        observer: { decided: () => undefined },
        forward: (permit, exchange, done) => {
          this.permits.push(permit);
          exchange.onSent = () => done({ kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: exchange.bytesOut });
          const to = `${permit.destination?.name} ${permit.request?.authority} ${permit.request?.target}`;
          exchange.respondWhole(200, [], Buffer.from(to), undefined);
        },
        forwardRaw: () => assert.fail('no bytes'),
      },
    );
    const settings = { host: '127.0.0.1', port: 0, name: 'plain:0', limits: DEFAULT_LIMITS };
    this.#listener = createPlainListener(settings, {
      handler: gate,
      clock,
      random,
      problem: (error) => assert.fail(String(error)),
    });
  }

  static async start(): Promise<OutboundWire> {
    const wire = new OutboundWire();
    wire.port = (await wire.#listener.start()).port;
    return wire;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#open) each.close();
    await this.#listener.stop(0);
  }

  async raw(): Promise<RawPeer> {
    const peer = await connectRaw({ port: this.port });
    this.#open.push(peer);
    return peer;
  }

  http2(): ClientHttp2Session {
    const session = connectHttp2(`http://127.0.0.1:${this.port}`);
    this.#open.push({ close: () => session.destroy() });
    return session;
  }

  /** The records, once there are so many; `fault` of each, or its verdict. */
  async verdicts(count: number): Promise<readonly string[]> {
    await until(() => this.journal.records.length >= count);
    return this.journal.records.map(({ sallyport }: DecisionRecord) => sallyport.fault ?? sallyport.verdict);
  }
}

type Answer = { readonly headers: IncomingHttpHeaders; readonly body: string };

async function answerTo(session: ClientHttp2Session, fields: Record<string, string>): Promise<Answer> {
  const stream = session.request({ ':method': 'POST', ':path': '/a.B/C', ...fields });
  stream.end();
  const headers = new Promise<IncomingHttpHeaders>((resolve) => stream.once('response', resolve));
  const body = await readAll(stream);
  return { headers: await headers, body };
}

const GRPC = { 'content-type': 'application/grpc', te: 'trailers' };

describe('HTTP/1.1 on the wire', () => {
  test('by Host and as a proxy, on one connection, pipelined', async () => {
    await using wire = await OutboundWire.start();
    const peer = await wire.raw();
    peer.send(
      'GET /a HTTP/1.1\r\nHost: Tools.internal\r\n\r\n' +
        'GET http://x.eu.internal:81/b?c HTTP/1.1\r\nHost: x.eu.internal:81\r\nProxy-Connection: Keep-Alive\r\n\r\n',
    );
    assert.equal((await peer.response()).body, 'tools.internal tools.internal /a');
    assert.equal((await peer.response()).body, '*.eu.internal x.eu.internal:81 /b?c');
    assert.deepEqual(await wire.verdicts(2), ['allow', 'allow']);
  });

  test('an unknown host is refused without a word about it, and the connection goes on', async () => {
    await using wire = await OutboundWire.start();
    const peer = await wire.raw();
    peer.send('GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\nGET /a HTTP/1.1\r\nHost: tools.internal\r\n\r\n');
    const refused = await peer.response();
    assert.equal(refused.statusLine, 'HTTP/1.1 403 Forbidden');
    assert.equal(valueOf(refused, 'content-type'), 'application/problem+json');
    assert.deepEqual(Object.keys(JSON.parse(refused.body)), ['type', 'title', 'status', 'decision_id']);
    assert.equal((await peer.response()).status, 200);
    assert.deepEqual(await wire.verdicts(2), ['destination_unknown', 'allow']);
  });

  test("CONNECT is answered, not dropped, and the bytes behind it are nobody's", async () => {
    await using wire = await OutboundWire.start();
    const peer = await wire.raw();
    peer.send(
      'CONNECT tools.internal:443 HTTP/1.1\r\nHost: tools.internal:443\r\n\r\nGET / HTTP/1.1\r\nHost: tools.internal\r\n\r\n',
    );
    const refused = await peer.response();
    assert.equal(refused.statusLine, 'HTTP/1.1 400 Bad Request');
    assert.equal(await peer.rest(), '');
    assert.deepEqual(await wire.verdicts(1), ['call_not_plain']);
    assert.equal(wire.permits.length, 0);
  });

  const hidden = 'GET /hidden HTTP/1.1\r\nHost: tools.internal\r\n\r\n';
  const length = (host: string): string =>
    `POST ${host}/ HTTP/1.1\r\nHost: tools.internal\r\nContent-Length: ${hidden.length}\r\n`;
  const smuggled: readonly (readonly [string, string, string])[] = [
    ['length and coding', `${length('')}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`, 'request_malformed'],
    [
      'the same in absolute-form',
      `${length('http://tools.internal')}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
      'request_malformed',
    ],
    ['two lengths', `${length('')}Content-Length: 0\r\n\r\n${hidden}`, 'request_malformed'],
    [
      'another host in the target',
      `GET http://a.eu.internal/ HTTP/1.1\r\nHost: tools.internal\r\n\r\n${hidden}`,
      'target_invalid',
    ],
    ['two hosts', `GET / HTTP/1.1\r\nHost: tools.internal\r\nHost: a.eu.internal\r\n\r\n${hidden}`, 'host_invalid'],
    [
      'a host named away',
      `GET / HTTP/1.1\r\nHost: tools.internal\r\nConnection: host\r\n\r\n${hidden}`,
      'header_invalid',
    ],
    ['a space before the colon', `GET / HTTP/1.1\r\nHost : tools.internal\r\n\r\n${hidden}`, 'request_malformed'],
    ['no host', `GET http://tools.internal/ HTTP/1.1\r\n\r\n${hidden}`, 'host_invalid'],
  ];
  for (const [title, bytes, code] of smuggled) {
    test(`smuggling: ${title}: 400, closed, and nothing of it is forwarded`, async () => {
      await using wire = await OutboundWire.start();
      const peer = await wire.raw();
      peer.send(bytes);
      assert.equal((await peer.response()).status, 400);
      assert.equal(await peer.rest(), '');
      assert.deepEqual(await wire.verdicts(1), [code]);
      assert.equal(wire.permits.length, 0);
    });
  }
});

describe('HTTP/2 on the wire', () => {
  test('a call by :authority, and one to nowhere', async () => {
    await using wire = await OutboundWire.start();
    const session = wire.http2();
    assert.equal(
      (await answerTo(session, { ':authority': 'tools.internal' })).body,
      'tools.internal tools.internal /a.B/C',
    );
    assert.equal((await answerTo(session, { ':authority': 'evil.example' })).headers[':status'], 403);
    assert.deepEqual(await wire.verdicts(2), ['allow', 'destination_unknown']);
  });

  test('gRPC to nowhere: trailers only, PERMISSION_DENIED', async () => {
    await using wire = await OutboundWire.start();
    const { headers, body } = await answerTo(wire.http2(), { ':authority': 'evil.example', ...GRPC });
    assert.deepEqual([headers[':status'], headers['grpc-status'], body], [200, '7', '']);
  });

  test('gRPC: the policy is shown the destination', async () => {
    await using wire = await OutboundWire.start();
    await answerTo(wire.http2(), { ':authority': 'x.eu.internal', ...GRPC });
    assert.equal(wire.policy.asked[0]?.sallyport.destination?.name, '*.eu.internal');
    assert.equal(wire.permits[0]?.request?.style, 'grpc');
  });
});
