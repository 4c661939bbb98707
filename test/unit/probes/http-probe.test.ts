import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';

import { probeHttp, type HttpTarget } from '../../../src/io/probes/http-probe.ts';
import { freePorts } from '../../support/free-ports.ts';
import { createAuthority } from '../../support/pki.ts';
import { startHttpAgent, startTcpAgent } from '../../support/probe-agent.ts';

const POD = '10.1.2.3';
const LONG_MS = 20_000;

function target(port: number, over: Partial<HttpTarget> = {}): HttpTarget {
  return { port, path: '/healthz', scheme: 'http', headers: [], ...over };
}

async function isWell(asked: HttpTarget, timeoutMs = LONG_MS): Promise<boolean> {
  return (await probeHttp(asked, timeoutMs, POD)).ok;
}

describe('the rule of kubelet (pkg/probe/http)', () => {
  for (const [status, ok] of [
    [200, true],
    [204, true],
    [299, true],
    [300, true],
    [304, true],
    [399, true],
    [400, false],
    [404, false],
    [500, false],
    [503, false],
  ] as const) {
    test(`${status} is ${ok ? 'well' : 'not well'}`, async (context) => {
      const { port } = await startHttpAgent(context, (_request, response) => response.writeHead(status).end());
      assert.equal(await isWell(target(port)), ok);
    });
  }

  test('the request is the one that kubelet sends: GET, the address of the pod, its own name, no more', async (context) => {
    const seen: IncomingMessage[] = [];
    const { port } = await startHttpAgent(context, (request, response) => {
      seen.push(request);
      response.end();
    });
    assert.ok(await isWell(target(port, { path: 'a b?c=é#d' })));
    assert.deepEqual([seen[0]?.method, seen[0]?.url, seen[0]?.httpVersion], ['GET', '/a%20b?c=%C3%A9', '1.1']);
    assert.deepEqual(seen[0]?.rawHeaders, [
      'Host',
      `${POD}:${port}`,
      'User-Agent',
      'kube-probe/sallyport',
      'Accept',
      '*/*',
      'Connection',
      'close',
    ]);
  });

  test('declared fields go out as they are; Host replaces the address, an empty Accept is left out', async (context) => {
    const seen: string[][] = [];
    const { port } = await startHttpAgent(context, (request, response) => {
      seen.push(request.rawHeaders);
      response.end();
    });
    const headers = [
      { name: 'Host', value: 'agent.internal' },
      { name: 'X-Probe', value: 'a' },
      { name: 'X-Probe', value: 'b' },
      { name: 'accept', value: '' },
      { name: 'user-agent', value: 'mine' },
    ];
    assert.ok(await isWell(target(port, { headers })));
    assert.deepEqual(seen, [
      ['Host', 'agent.internal', 'X-Probe', 'a', 'X-Probe', 'b', 'user-agent', 'mine', 'Connection', 'close'],
    ]);
  });

  test('an IPv6 pod is named in brackets (RFC 3986 3.2.2)', async (context) => {
    const hosts: (string | undefined)[] = [];
    const { port } = await startHttpAgent(context, ({ headers }, response) => {
      hosts.push(headers.host);
      response.end();
    });
    assert.ok((await probeHttp(target(port), LONG_MS, 'fd00::1')).ok);
    assert.deepEqual(hosts, [`[fd00::1]:${port}`]);
  });

  test('https: any certificate will do', async (context) => {
    const issued = createAuthority().issue();
    const server = createHttpsServer({ cert: issued.chainPem, key: issued.keyPem }, (_request, response) =>
      response.end(),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    context.after(() => server.close());
    assert.ok(await isWell(target((server.address() as AddressInfo).port, { scheme: 'https' })));
  });

  test('nobody there is not well', async () => {
    const [port = 0] = await freePorts(1);
    assert.deepEqual(await probeHttp(target(port), LONG_MS, POD), {
      ok: false,
      why: `connect ECONNREFUSED 127.0.0.1:${port}`,
    });
  });
});

describe('redirects', () => {
  test('to the same host are followed, with the declared Host where they are relative', async (context) => {
    const seen: string[] = [];
    const { port } = await startHttpAgent(context, ({ url = '', headers }, response) => {
      seen.push(`${url} ${headers.host}`);
      if (url === '/a') response.writeHead(302, { location: '/b' }).end();
      else if (url === '/b') response.writeHead(307, { location: `http://${POD}:${port}/c` }).end();
      else response.writeHead(500).end();
    });
    const headers = [{ name: 'Host', value: 'agent.internal' }];
    assert.equal(await isWell(target(port, { path: '/a', headers })), false);
    assert.deepEqual(seen, ['/a agent.internal', '/b agent.internal', `/c ${POD}:${port}`]);
  });

  for (const location of [
    'http://example.org/',
    'http://169.254.169.254/latest',
    'https://127.0.0.1/',
    '//other/',
    'file:///etc/passwd',
    'javascript:1',
  ]) {
    test(`to ${location} is not followed, and good as it stands`, async (context) => {
      const { port, asked } = await startHttpAgent(context, (_request, response) =>
        response.writeHead(301, { location }).end(),
      );
      assert.ok(await isWell(target(port)));
      assert.equal(asked(), 1);
    });
  }

  test('without Location, or with one that is no URL, as kubelet: well, and not well', async (context) => {
    const without = await startHttpAgent(context, (_request, response) => response.writeHead(302).end());
    assert.ok(await isWell(target(without.port)));
    const broken = await startHttpAgent(context, (_request, response) =>
      response.writeHead(302, { location: 'http://[' }).end(),
    );
    assert.equal(await isWell(target(broken.port)), false);
  });

  test('ten are enough', async (context) => {
    const { port, asked } = await startHttpAgent(context, (_request, response) =>
      response.writeHead(302, { location: '/again' }).end(),
    );
    assert.deepEqual(await probeHttp(target(port), LONG_MS, POD), { ok: false, why: 'more than 10 redirects' });
    assert.equal(asked(), 11);
  });
});

describe('a hostile agent', () => {
  test('that never answers is not well when the time is up', async (context) => {
    const { port } = await startTcpAgent(context, () => {});
    assert.deepEqual(await probeHttp(target(port), 100, POD), { ok: false, why: 'no answer within 100 ms' });
  });

  test('that sends without end is judged by its status, and read no further', async (context) => {
    const { promise: cut, resolve } = Promise.withResolvers<number>();
    const { port } = await startTcpAgent(context, (socket) => {
      let sent = 0;
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const more = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65_536))) sent += 65_536;
        if (!socket.destroyed) socket.once('drain', more);
      };
      socket.on('close', () => resolve(sent));
      more();
    });
    assert.ok(await isWell(target(port)));
    assert.ok((await cut) < 64 * 1_048_576);
  });

  const answers: Readonly<Record<string, string>> = {
    'an endless head': `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(20_000)}`,
    'no HTTP': 'SSH-2.0-OpenSSH\r\n',
    'a switch of protocols': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    'a body that breaks off': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc',
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na',
  };
  for (const [what, bytes] of Object.entries(answers)) {
    test(`with ${what} is not well`, async (context) => {
      const { port } = await startTcpAgent(context, (socket) => socket.end(bytes));
      assert.equal(await isWell(target(port)), false);
    });
  }

  test('one that trickles its body is not well when the time is up, as kubelet says', async (context) => {
    const { port } = await startTcpAgent(context, (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na'),
    );
    assert.equal(await isWell(target(port), 200), false);
  });
});
