import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { DecisionRecord } from '../../src/core/model/record.ts';
import { CODE, codeOf, connectFrames, FLAG, getFrame, TYPE } from '../support/http2-frame-peer.ts';
import { valueOf, type RawPeer } from '../support/raw-http1-peer.ts';
import { scriptedUpstream, type ScriptedConnection } from '../support/scripted-upstream.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { startSystem, type System } from '../support/system.ts';

/** The real process between a raw peer and an agent that answers byte for byte what its path asks for. */
const POLICY = `package test.authz

default decision := false

decision if input.parsed_path[0] != "refused"
`;

/** What the agent answers, by path. Anything else gets `200` and its own request line. */
const ANSWERS: Readonly<Record<string, string>> = {
  '/no-content': 'HTTP/1.1 204 No Content\r\nX-Kept: yes\r\n\r\n',
  '/not-modified': 'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nContent-Length: 1234\r\n\r\n',
  '/early-hints':
    'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone',
  '/trailers':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n',
  '/until-closed': 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it',
  '/dies-in-length': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this',
  '/dies-in-chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n',
};

const CLOSES: ReadonlySet<string> = new Set(['/until-closed', '/dies-in-length', '/dies-in-chunks']);

type Seen = {
  /** Request lines of requests whose last byte came, in order. */
  readonly whole: readonly string[];
  /** Connections on which a request broke off. */
  readonly broken: () => number;
  /** Heads of requests that have begun. */
  readonly begun: readonly string[];
};

type Begun = { readonly system: System; readonly seen: Seen; readonly bystander: RawPeer };

async function begin(context: TestContext, limits = {}): Promise<Begun> {
  const whole: string[] = [];
  const begun: string[] = [];
  let broken = 0;
  const agent = await scriptedUpstream(async (connection) => {
    connection.socket.once('data', () => begun.push(connection.raw.toString('latin1').split('\r\n', 1)[0] ?? ''));
    try {
      for (;;) await serve(connection, whole);
    } catch {
      if (connection.raw.length > 0 && !connection.socket.destroyed) broken += 1;
      connection.socket.destroy();
    }
  });
  context.after(agent.close);
  const system = await startSystem(context, { upstream: `http://127.0.0.1:${agent.port}`, policy: POLICY, limits });
  const bystander = await connectHttp1(context, system);
  return { system, seen: { whole, begun, broken: () => broken }, bystander };
}

async function serve(connection: ScriptedConnection, whole: string[]): Promise<void> {
  if (connection.raw.length === 0) await connection.until(() => connection.raw.length > 0);
  if (connection.raw.toString('latin1').startsWith('POST /early')) {
    await connection.head();
    connection.send('HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge');
    await connection.closed;
    throw new Error('answered before the request was over');
  }
  const { requestLine, headers, body } = await connection.request();
  whole.push(requestLine);
  const [method = '', path = ''] = requestLine.split(' ');
  const report = JSON.stringify({ requestLine, headers, body: body.toString('latin1') });
  const plain = `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(report)}\r\n\r\n${method === 'HEAD' ? '' : report}`;
  connection.send(ANSWERS[path] ?? plain);
  if (CLOSES.has(path)) connection.socket.end();
}

function expecting(path: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: agent.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`;
}

function outcomeOf({ sallyport: { verdict, fault, outcome } }: DecisionRecord): unknown {
  return [verdict, fault, outcome.kind, outcome.status, outcome.fault];
}

async function oneRecord(system: System, before: number, expected: readonly unknown[]): Promise<void> {
  const [record, ...more] = await system.sidecar.recordsFrom(before, 1);
  assert.deepEqual(record && outcomeOf(record), expected);
  assert.deepEqual(more, []);
}

const FORWARDED = (status: number): readonly unknown[] => ['allow', undefined, 'forwarded', status, undefined];

test(
  'RFC 9110, RFC 9112: answers without a body, interim answers and trailers',
  { timeout: 60_000 },
  async (context) => {
    const { system } = await begin(context);
    const peer = await connectHttp1(context, system);
    let before = 0;
    const ask1 = async (request: string, method = 'GET'): ReturnType<RawPeer['response']> => {
      before = system.sidecar.records().length;
      peer.send(request);
      return peer.response(method);
    };

    await context.test('RFC 9110 9.3.2: HEAD has the head of GET and no body', async () => {
      const { status, headers } = await ask1('HEAD /thing HTTP/1.1\r\nHost: agent.test\r\n\r\n', 'HEAD');
      assert.equal(status, 200);
      assert.ok(Number(valueOf({ headers }, 'content-length')) > 0);
      await oneRecord(system, before, FORWARDED(200));
    });
    await context.test('RFC 9110 15.3.5: 204 has neither body nor length', async () => {
      const { status, headers } = await ask1('GET /no-content HTTP/1.1\r\nHost: agent.test\r\n\r\n');
      assert.deepEqual([status, valueOf({ headers }, 'x-kept')], [204, 'yes']);
      assert.deepEqual(
        [valueOf({ headers }, 'content-length'), valueOf({ headers }, 'transfer-encoding')],
        [undefined, undefined],
      );
      await oneRecord(system, before, FORWARDED(204));
    });
    await context.test('RFC 9110 15.4.5: 304 tells the length of what it does not send', async () => {
      const { status, headers } = await ask1(
        'GET /not-modified HTTP/1.1\r\nHost: agent.test\r\nIf-None-Match: "v1"\r\n\r\n',
      );
      assert.deepEqual([status, valueOf({ headers }, 'etag')], [304, '"v1"']);
      await oneRecord(system, before, FORWARDED(304));
    });
    await context.test('RFC 8297: 103 comes before the answer', async () => {
      const hints = await ask1('GET /early-hints HTTP/1.1\r\nHost: agent.test\r\n\r\n');
      assert.deepEqual([hints.status, valueOf(hints, 'link')], [103, '</style.css>; rel=preload']);
      const final = await peer.response();
      assert.deepEqual([final.status, final.body], [200, 'done']);
      await oneRecord(system, before, FORWARDED(200));
    });
    await context.test('RFC 9112 7.1.2: trailers of an answer pass', async () => {
      const { body, trailers } = await ask1('GET /trailers HTTP/1.1\r\nHost: agent.test\r\nTE: trailers\r\n\r\n');
      assert.equal(body, 'hello');
      assert.deepEqual(
        trailers.map(([name, value]) => [name.toLowerCase(), value]),
        [['x-sum', '42']],
      );
      await oneRecord(system, before, FORWARDED(200));
    });
    await context.test(
      'RFC 9112 6.3: an answer that ends with its connection is passed on with an end of its own',
      async () => {
        const { body } = await ask1('GET /until-closed HTTP/1.1\r\nHost: agent.test\r\n\r\n');
        assert.equal(body, 'all of it');
        await oneRecord(system, before, FORWARDED(200));
        assert.equal((await get(peer, '/next')).status, 200, 'on the same connection');
      },
    );
  },
);

test('RFC 9112 9: connections are kept, pipelined, and closed when asked', { timeout: 60_000 }, async (context) => {
  const { system, seen, bystander } = await begin(context);

  await context.test('9.3.2: pipelined requests are answered in order, each with a record', async () => {
    const peer = await connectHttp1(context, system);
    const targets = ['/a', '/refused/b', '/c', '/no-content', '/e'];
    peer.send(targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: agent.test\r\n\r\n`).join(''));
    const statuses: number[] = [];
    for (const _ of targets) statuses.push((await peer.response()).status);
    assert.deepEqual(statuses, [200, 403, 200, 204, 200]);
    const records = await system.sidecar.recordsFrom(0, targets.length);
    assert.deepEqual(
      records.map(({ sallyport }) => sallyport.outcome.status),
      statuses,
    );
    assert.deepEqual(
      seen.whole.map((line) => line.split(' ')[1]),
      ['/a', '/c', '/no-content', '/e'],
    );
  });
  await context.test('9.6: Connection: close is kept to', async () => {
    const peer = await connectHttp1(context, system);
    const { status, headers } = await get(peer, '/last', 'Connection: close\r\n');
    assert.deepEqual([status, valueOf({ headers }, 'connection')], [200, 'close']);
    assert.equal(await peer.rest(), '');
    assert.equal(await peer.ended, 'end');
  });
  await context.test('9.3: HTTP/1.0 gets its answer and the end of the connection', async () => {
    const peer = await connectHttp1(context, system);
    peer.send('GET /old HTTP/1.0\r\nHost: agent.test\r\n\r\n');
    const { status, headers, body } = await peer.response();
    assert.equal(status, 200);
    assert.equal(valueOf({ headers }, 'transfer-encoding'), undefined, 'it knows no chunks');
    assert.ok(body.includes('GET /old HTTP/1.1'), 'the agent is asked in HTTP/1.1');
    assert.equal(await peer.rest(), '');
  });
  assert.equal((await get(bystander, '/on')).status, 200);
});

test('RFC 9110 10.1.1: Expect: 100-continue', { timeout: 60_000 }, async (context) => {
  const { system, seen } = await begin(context);

  await context.test('the body is asked for once policy has allowed it', async () => {
    const peer = await connectHttp1(context, system);
    peer.send(expecting('/upload'));
    assert.equal((await peer.head()).status, 100);
    peer.send('body');
    const { status, body } = await peer.response('POST');
    assert.equal(status, 200);
    assert.ok(body.includes('"body":"body"'));
    await oneRecord(system, 0, FORWARDED(200));
  });
  await context.test('a refused one is refused without a 100', async () => {
    const peer = await connectHttp1(context, system);
    peer.send(expecting('/refused/upload'));
    assert.equal((await peer.response('POST')).status, 403);
    await oneRecord(system, 1, ['deny', 'policy_denied', 'refused', 403, undefined]);
    assert.deepEqual(seen.whole, ['POST /upload HTTP/1.1']);
  });
});

test('uploads: early answers, aborts and trailers', { timeout: 60_000 }, async (context) => {
  const { system, seen, bystander } = await begin(context);

  await context.test('RFC 9112 9.3: an answer may come while the upload goes on', async () => {
    const peer = await connectHttp1(context, system);
    peer.send('POST /early HTTP/1.1\r\nHost: agent.test\r\nContent-Length: 100000000\r\n\r\nfirst bytes');
    const { status, body } = await peer.response('POST');
    assert.deepEqual([status, body], [413, 'large']);
    assert.equal(await peer.rest(), '', 'and the connection ends, as the rest of the upload is of no use');
    await oneRecord(system, 0, FORWARDED(413));
  });
  for (const [title, head] of [
    ['RFC 9112 8: an upload of known length', 'Content-Length: 1000\r\n\r\nsome of it'],
    ['RFC 9112 8: a chunked upload', 'Transfer-Encoding: chunked\r\n\r\na\r\nsome of it\r\n'],
  ] as const) {
    await context.test(`${title} that breaks off is never taken for complete`, async () => {
      const before = system.sidecar.records().length;
      const broken = seen.broken();
      const begun = seen.begun.length;
      const peer = await connectHttp1(context, system);
      peer.send(`POST /upload HTTP/1.1\r\nHost: agent.test\r\n${head}`);
      await system.sidecar.until('the upload at the agent', () => seen.begun.length > begun);
      peer.close();
      await oneRecord(system, before, ['allow', undefined, 'aborted', 0, 'peer_aborted']);
      await system.sidecar.until('its end at the agent', () => seen.broken() > broken);
      assert.ok(!seen.whole.some((line) => line.includes('/upload')));
    });
  }
  await context.test('RFC 9112 7.1.2: trailers of a request do not turn into fields of the next', async () => {
    const before = system.sidecar.records().length;
    const chunked = 'POST /chunked HTTP/1.1\r\nHost: agent.test\r\nTransfer-Encoding: chunked\r\n\r\n';
    bystander.send(`${chunked}4\r\nbody\r\n0\r\nX-Role: admin\r\n\r\nGET /next HTTP/1.1\r\nHost: agent.test\r\n\r\n`);
    const first = await bystander.response('POST');
    assert.ok(first.body.includes('"body":"body"'));
    const second = await bystander.response();
    assert.ok(!/x-role/i.test(first.body + second.body));
    assert.equal((await system.sidecar.recordsFrom(before, 2)).length, 2);
  });
});

test('an agent that dies in its answer is never taken for one that ended it', { timeout: 60_000 }, async (context) => {
  const { system, bystander } = await begin(context);
  for (const [path, sign] of [
    ['/dies-in-length', 'only this'],
    ['/dies-in-chunks', '9\r\nonly this\r\n'],
  ] as const) {
    await context.test(`HTTP/1.1, ${path}`, async () => {
      const before = system.sidecar.records().length;
      const peer = await connectHttp1(context, system);
      peer.send(`GET ${path} HTTP/1.1\r\nHost: agent.test\r\n\r\n`);
      assert.equal((await peer.head()).status, 200);
      const rest = await peer.rest();
      assert.ok(sign.startsWith(rest), `no end is made up: ${JSON.stringify(rest)}`);
      await oneRecord(system, before, ['allow', undefined, 'upstream-failed', 200, 'upstream_aborted']);
    });
    await context.test(`HTTP/2, ${path}`, async () => {
      const before = system.sidecar.records().length;
      const peer = await connectFrames({ port: system.sidecar.port, tls: system.tls(undefined, 'h2') });
      context.after(() => peer.close());
      peer.send(getFrame(1, path));
      assert.equal(codeOf(await peer.next(TYPE.rstStream)), CODE.internalError);
      assert.ok(!peer.frames.some(({ type, flags }) => type === TYPE.data && (flags & FLAG.endStream) !== 0));
      await oneRecord(system, before, ['allow', undefined, 'upstream-failed', 200, 'upstream_aborted']);
      peer.send(getFrame(3, '/next'));
      await peer.next(TYPE.data, ({ streamId, flags }) => streamId === 3 && (flags & FLAG.endStream) !== 0);
      await system.sidecar.recordsFrom(before, 2);
    });
  }
  assert.equal((await get(bystander, '/on')).status, 200);
});
