import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test, type TestContext } from 'node:test';

import { createProbes, type ProbesConfig, type ProbesDeps } from '../../../src/io/probes/probes.ts';
import { startHttpAgent, startTcpAgent } from '../../support/probe-agent.ts';
import { connectRaw } from '../../support/raw-http1-peer.ts';
import { until } from '../../support/until.ts';

type World = {
  readonly port: number;
  readonly log: string[];
  /** The status that a GET is answered with. */
  readonly get: (path: string) => Promise<number>;
};

async function world(
  context: TestContext,
  targets: ProbesConfig['targets'] = {},
  over: Partial<ProbesDeps> = {},
): Promise<World> {
  const log: string[] = [];
  const note = (fields: object, message: string): void => void log.push(`${message} ${JSON.stringify(fields)}`);
  const probes = createProbes(
    { listen: { host: '127.0.0.1', port: 0 }, targets },
    {
      started: () => true,
      healthy: () => true,
      ready: () => Promise.resolve(true),
      log: { info: note, warn: note, error: note },
      ...over,
    },
  );
  const { port } = await probes.start();
  context.after(() => probes.stop(0));
  const get = async (path: string): Promise<number> =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { redirect: 'manual' })).status;
  return { port, log, get };
}

/** What comes back for exactly these bytes, until the connection ends. */
async function raw(port: number, bytes: string): Promise<string> {
  const peer = await connectRaw({ port });
  peer.send(bytes);
  return peer.rest();
}

/** How many answers, and the status of the first; [0, 0] where the connection was closed without one. */
async function answers(port: number, bytes: string): Promise<readonly [count: number, status: number]> {
  const text = await raw(port, bytes);
  return [text.split('HTTP/1.1 ').length - 1, Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)];
}

test("strangers behind the kubelet's own address do not keep it out by saying nothing", async (context) => {
  const { get, port } = await world(context);
  const silent = Array.from({ length: 70 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
  context.after(() => silent.forEach((socket) => socket.destroy()));
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  assert.equal(await get('/healthz'), 200);
});

describe('our own state', () => {
  test('startup, health and readiness, each a status and nothing else', async (context) => {
    let started = false;
    let ready = true;
    const { get, port } = await world(context, {}, { started: () => started, ready: () => Promise.resolve(ready) });
    assert.deepEqual([await get('/startupz'), await get('/healthz'), await get('/readyz')], [503, 200, 503]);
    started = true;
    assert.deepEqual([await get('/startupz'), await get('/healthz'), await get('/readyz')], [200, 200, 200]);
    ready = false;
    assert.deepEqual([await get('/startupz'), await get('/readyz')], [200, 503]);
    const text = await raw(port, 'GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(text, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
    assert.match(text, /\r\ncontent-length: 0\r\n/i);
    assert.ok(text.endsWith('\r\n\r\n'));
  });

  test('a state that cannot be told is 500, and no more is said', async (context) => {
    const { port, log } = await world(context, {}, { ready: () => Promise.reject(new Error('secret')) });
    const text = await raw(port, 'GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(text, /^HTTP\/1\.1 500 /);
    assert.ok(!text.includes('secret'));
    assert.equal(log.length, 1);
  });
});

describe('probes of the agent', () => {
  test('are answered by what the agent answers, HEAD as GET', async (context) => {
    let status = 200;
    const agent = await startHttpAgent(context, (_request, response) => response.writeHead(status).end('hello'));
    const { get, port } = await world(context, {
      'app/liveness': { http: { port: agent.port, path: '/', scheme: 'http', headers: [] }, timeout: 5_000 },
    });
    assert.equal(await get('/probe/app/liveness'), 200);
    status = 500;
    assert.equal(await get('/probe/app/liveness'), 503);
    assert.deepEqual(await answers(port, 'HEAD /probe/app/liveness HTTP/1.1\r\nHost: a\r\n\r\n'), [1, 503]);
    assert.equal(await get('/probe/app/readiness'), 404);
    assert.equal(await get('/probe/other/liveness'), 404);
    assert.equal(await get('/probe/__proto__/liveness'), 404);
  });

  test('the log says once what changed, and why', async (context) => {
    let status = 500;
    const agent = await startHttpAgent(context, (_request, response) => response.writeHead(status).end());
    const { get, log } = await world(context, {
      'app/liveness': { http: { port: agent.port, path: '/', scheme: 'http', headers: [] }, timeout: 5_000 },
    });
    for (const next of [500, 200, 200, 500]) {
      status = next;
      await get('/probe/app/liveness');
    }
    assert.deepEqual(log, [
      'a probe of the agent is not good {"probe":"app/liveness","why":"answered 500"}',
      'a probe of the agent is good {"probe":"app/liveness"}',
      'a probe of the agent is not good {"probe":"app/liveness","why":"answered 500"}',
    ]);
  });

  test('the Host that the agent sees is the address that was asked, whatever the caller says', async (context) => {
    const hosts: (string | undefined)[] = [];
    const agent = await startHttpAgent(context, ({ headers }, response) => {
      hosts.push(headers.host, headers['x-secret'] as string | undefined);
      response.end();
    });
    const { port } = await world(context, {
      'app/liveness': { http: { port: agent.port, path: '/', scheme: 'http', headers: [] }, timeout: 5_000 },
    });
    await raw(port, 'GET /probe/app/liveness HTTP/1.1\r\nHost: evil.example\r\nX-Secret: 1\r\n\r\n');
    assert.deepEqual(hosts, [`127.0.0.1:${agent.port}`, undefined]);
  });

  test('an agent that never answers: whoever asks meanwhile shares one probe, and all hear when the time is up', async (context) => {
    const agent = await startTcpAgent(context, () => {});
    const { get } = await world(context, {
      'app/liveness': { http: { port: agent.port, path: '/', scheme: 'http', headers: [] }, timeout: 400 },
    });
    const statuses = await Promise.all(Array.from({ length: 20 }, () => get('/probe/app/liveness')));
    assert.deepEqual(new Set(statuses), new Set([503]));
    assert.ok(agent.asked() <= 2, `${agent.asked()} probes`);
  });
});

describe('nothing else gets in', () => {
  const table: readonly (readonly [what: string, bytes: string, status: number])[] = [
    ['a POST', 'POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n', 405],
    ['a CONNECT', 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n', 0],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 405],
    ['an upgrade', 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n', 200],
    ['an absolute target', 'GET http://127.0.0.1:22/healthz HTTP/1.1\r\nHost: a\r\n\r\n', 404],
    ['a query', 'GET /healthz?x HTTP/1.1\r\nHost: a\r\n\r\n', 404],
    ['an encoding', 'GET /%68ealthz HTTP/1.1\r\nHost: a\r\n\r\n', 404],
    ['a path that climbs', 'GET /probe/../healthz HTTP/1.1\r\nHost: a\r\n\r\n', 404],
    ['a body', 'GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc', 400],
    ['a chunked body', 'GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['two lengths', 'GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nabcde', 0],
    [
      'a length and chunks',
      'GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      0,
    ],
    ['a huge head', `GET /healthz HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, 0],
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['an Expect', 'GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n', 417],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 0],
    ['TLS', '\x16\x03\x01\x00\x05hello', 0],
    ['a line end inside', 'GET /healthz\rX HTTP/1.1\r\nHost: a\r\n\r\n', 0],
  ];
  for (const [what, bytes, status] of table) {
    test(`${what}: ${status === 0 ? 'closed without an answer' : status}`, async (context) => {
      const agent = await startHttpAgent(context, (_request, response) => response.end());
      const { port, get } = await world(context, {
        'app/liveness': { http: { port: agent.port, path: '/', scheme: 'http', headers: [] }, timeout: 1_000 },
      });
      const [count, first] = await answers(port, bytes);
      assert.deepEqual([count, first], [status === 0 ? 0 : 1, status]);
      assert.equal(agent.asked(), 0);
      assert.equal(await get('/healthz'), 200);
    });
  }

  test('what is pipelined or smuggled behind a request is no second request', async (context) => {
    const agent = await startHttpAgent(context, (_request, response) => response.end());
    const { port } = await world(context, {
      'app/liveness': { http: { port: agent.port, path: '/', scheme: 'http', headers: [] }, timeout: 1_000 },
    });
    const second = 'GET /probe/app/liveness HTTP/1.1\r\nHost: a\r\n\r\n';
    await raw(port, `GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n${second}`);
    await raw(port, `GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: ${second.length}\r\n\r\n${second}`);
    assert.equal(agent.asked(), 0);
  });
});

describe('strangers cannot keep the kubelet out', () => {
  test('one address has its share of connections; a head that does not come ends them', async (context) => {
    const { port, get } = await world(context);
    const idle = Array.from({ length: 100 }, () => connect({ host: '127.0.0.1', port, localAddress: '127.0.0.9' }));
    for (const socket of idle) socket.on('error', () => {});
    context.after(() => idle.forEach((socket) => socket.destroy()));
    const slow = idle[0];
    assert.ok(slow !== undefined);
    await once(slow, 'connect');
    slow.write('GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    await until(
      'the share to be enforced',
      () => idle.filter((socket) => socket.destroyed || socket.readableEnded).length >= 36,
    );
    assert.equal(await get('/healthz'), 200);
    await until('slow heads to be given up', () => idle.every((socket) => socket.destroyed || socket.readableEnded));
  });
});
