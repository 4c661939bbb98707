import { test } from 'node:test';
import assert from 'node:assert/strict';
import { channel } from 'node:diagnostics_channel';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { createAdmin, type AdminConfig, type AdminDeps, type PartState } from '../../../src/io/admin/admin.ts';

type Reply = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string };
type Ask = (
  path: string,
  options?: { method?: string; headers?: Record<string, string>; body?: string },
) => Promise<Reply>;

const loopback: AdminConfig = { listen: { host: '127.0.0.1', port: 0 } };
const fine: PartState = { ok: true, detail: 'ready' };

/** A socket whose end, however it comes, is `closed`. */
function open(port: number): { readonly socket: Socket; readonly closed: Promise<void> } {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.on('close', () => resolve()).resume();
  return { socket, closed };
}

async function withAdmin(
  changes: Partial<AdminDeps>,
  use: (ask: Ask, port: number, errors: readonly string[]) => Promise<void>,
): Promise<void> {
  const errors: string[] = [];
  const admin = createAdmin(loopback, {
    health: () => fine,
    ready: () => Promise.resolve({ policy: fine, identity: fine }),
    metrics: () => Promise.resolve('a_total 1\n'),
    metricsType: 'text/plain; version=0.0.4; charset=utf-8',
    log: { error: (fields, message) => errors.push(`${message} ${String(fields['error'])}`) },
    ...changes,
  });
  const { port } = await admin.start();
  try {
    await use((path, options = {}) => askFor(port, path, options), port, errors);
  } finally {
    await admin.stop(0);
  }
}

async function askFor(port: number, path: string, options: NonNullable<Parameters<Ask>[1]>): Promise<Reply> {
  const { method = 'GET', headers = {}, body } = options;
  const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const piece of response.setEncoding('utf8')) text += piece as string;
  return { status: response.statusCode ?? 0, headers: response.headers, body: text };
}

test('/healthz: 200 while the process can go on, 503 when it cannot', async () => {
  let state: PartState = { ok: true, detail: 'running' };
  await withAdmin({ health: () => state }, async (ask) => {
    const healthy = await ask('/healthz');
    assert.deepEqual([healthy.status, JSON.parse(healthy.body)], [200, { status: 'ok', detail: 'running' }]);
    assert.equal(healthy.headers['content-type'], 'application/json; charset=utf-8');
    assert.equal(healthy.headers['cache-control'], 'no-store');
    state = { ok: false, detail: 'the event loop stands' };
    const failed = await ask('/healthz?verbose');
    assert.deepEqual(
      [failed.status, JSON.parse(failed.body)],
      [503, { status: 'failed', detail: 'the event loop stands' }],
    );
  });
});

test('/readyz: 503 says which part is not ready; 200 when all are', async () => {
  let policy: PartState = { ok: false, detail: 'no revision is active' };
  await withAdmin({ ready: () => Promise.resolve({ policy, identity: fine }) }, async (ask) => {
    const waiting = await ask('/readyz');
    assert.equal(waiting.status, 503);
    assert.deepEqual(JSON.parse(waiting.body), { ready: false, parts: { policy, identity: fine } });
    policy = fine;
    const ready = await ask('/readyz');
    assert.equal(ready.status, 200);
    assert.deepEqual(JSON.parse(ready.body), { ready: true, parts: { policy: fine, identity: fine } });
  });
});

test('/readyz: probes that come at the same time share one look', async () => {
  let looks = 0;
  const gate = Promise.withResolvers<Record<string, PartState>>();
  const ready = (): Promise<Record<string, PartState>> => {
    looks += 1;
    return looks === 1 ? gate.promise : Promise.resolve({ policy: fine });
  };
  await withAdmin({ ready }, async (ask) => {
    const arrived = Promise.withResolvers<void>();
    let count = 0;
    const seen = (): void => {
      count += 1;
      if (count === 3) setImmediate(arrived.resolve);
    };
    channel('http.server.request.start').subscribe(seen);
    const probes = [ask('/readyz'), ask('/readyz'), ask('/readyz')];
    await arrived.promise;
    channel('http.server.request.start').unsubscribe(seen);
    gate.resolve({ policy: fine });
    assert.deepEqual(
      (await Promise.all(probes)).map((reply) => reply.status),
      [200, 200, 200],
    );
    assert.equal(looks, 1);
    await ask('/readyz');
    assert.equal(looks, 2);
  });
});

test('/readyz: a look that takes too long is "not ready"', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const asked = Promise.withResolvers<void>();
  const ready = (): Promise<never> => {
    asked.resolve();
    return new Promise(() => undefined);
  };
  const admin = createAdmin(loopback, {
    health: () => fine,
    ready,
    metrics: () => Promise.resolve(''),
    metricsType: 'text/plain',
    log: { error: () => undefined },
  });
  const { port } = await admin.start();
  const probe = askFor(port, '/readyz', {});
  await asked.promise;
  context.mock.timers.tick(5_000);
  assert.equal((await probe).status, 503);
  await admin.stop(0);
});

test('/metrics: as they are given, with their type', async () => {
  await withAdmin({}, async (ask) => {
    const { status, headers, body } = await ask('/metrics');
    assert.deepEqual([status, body], [200, 'a_total 1\n']);
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  });
});

test('/status: only where there is one', async () => {
  await withAdmin({}, async (ask) => assert.equal((await ask('/status')).status, 404));
  await withAdmin({ status: () => ({ version: '0.1.0' }) }, async (ask) => {
    assert.deepEqual(JSON.parse((await ask('/status')).body), { version: '0.1.0' });
  });
});

test('RFC 9110 9.3.2: HEAD has the head of GET and no body', async () => {
  await withAdmin({}, async (ask) => {
    const { status, headers, body } = await ask('/metrics', { method: 'HEAD' });
    assert.deepEqual([status, headers['content-length'], body], [200, '10', '']);
  });
});

for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
  test(`reading only: ${method} is 405`, async () => {
    await withAdmin({}, async (ask) => {
      const { status, headers } = await ask('/metrics', { method });
      assert.deepEqual([status, headers['allow']], [405, 'GET, HEAD']);
    });
  });
}

for (const path of [
  '/',
  '/metrics/',
  '/Metrics',
  '//metrics',
  '/%6detrics',
  '/../metrics',
  'http://127.0.0.1/metrics',
  '/constructor',
]) {
  test(`404: ${path}`, async () => {
    await withAdmin({}, async (ask) => {
      const { status, body } = await ask(path);
      assert.deepEqual([status, body], [404, '{"error":"not found"}\n']);
    });
  });
}

test('DNS rebinding: a Host with a name is refused, and nothing is told', async () => {
  await withAdmin({}, async (ask) => {
    for (const path of ['/metrics', '/healthz', '/readyz', '/nothing']) {
      const { status, body } = await ask(path, { headers: { host: 'evil.test' } });
      assert.equal(status, 421);
      assert.doesNotMatch(body, /evil|a_total/);
    }
    assert.equal((await ask('/metrics', { headers: { host: 'localhost:9901' } })).status, 200);
  });
});

test('a page of another site is refused, the browser’s own address bar is not', async () => {
  await withAdmin({}, async (ask) => {
    for (const [site, status] of [
      ['cross-site', 421],
      ['same-site', 421],
      ['none', 200],
      ['same-origin', 200],
    ] as const) {
      assert.equal((await ask('/metrics', { headers: { 'sec-fetch-site': site } })).status, status, site);
    }
  });
});

test('a body is refused and the connection closed', async () => {
  await withAdmin({}, async (ask) => {
    const { status, headers } = await ask('/metrics', { headers: { 'content-length': '1' }, body: 'x' });
    assert.deepEqual([status, headers.connection], [400, 'close']);
    assert.equal((await ask('/metrics', { headers: { 'transfer-encoding': 'chunked' }, body: 'x' })).status, 400);
  });
});

test('a fault of ours is 500 without detail, and is logged', async () => {
  await withAdmin({ metrics: () => Promise.reject(new Error('secret detail')) }, async (ask, _port, errors) => {
    const { status, body } = await ask('/metrics');
    assert.deepEqual([status, body], [500, '{"error":"internal error"}\n']);
    assert.deepEqual(errors, ['an admin request failed Error: secret detail']);
    assert.equal((await ask('/healthz')).status, 200);
  });
});

test('connections are bounded: the 65th is closed', async () => {
  await withAdmin({}, async (_ask, port) => {
    const clients = Array.from({ length: 65 }, () => open(port));
    await Promise.race(clients.map((client) => client.closed));
    assert.equal(clients.filter(({ socket }) => socket.closed).length, 1);
    for (const { socket } of clients) socket.destroy();
  });
});

test('stop: a request under way does not keep it longer than the grace period', async () => {
  const asked = Promise.withResolvers<void>();
  const admin = createAdmin(loopback, {
    health: () => fine,
    ready: () => {
      asked.resolve();
      return new Promise(() => undefined);
    },
    metrics: () => Promise.resolve(''),
    metricsType: 'text/plain',
    log: { error: () => undefined },
  });
  const { port } = await admin.start();
  const { socket, closed } = open(port);
  socket.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await asked.promise;
  await admin.stop(1);
  await closed;
  assert.equal(socket.bytesRead, 0, 'cut, not answered');
});

test('an address beyond loopback needs the operator’s word', () => {
  const deps: AdminDeps = {
    health: () => fine,
    ready: () => Promise.resolve({}),
    metrics: () => Promise.resolve(''),
    metricsType: 'text/plain',
    log: { error: () => undefined },
  };
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1']) {
    assert.throws(() => createAdmin({ listen: { host, port: 0 } }, deps), /not on loopback; unsafeBeyondLoopback/);
    createAdmin({ listen: { host, port: 0 }, unsafeBeyondLoopback: true }, deps);
  }
  for (const host of ['127.0.0.1', '127.9.9.9', '::1']) createAdmin({ listen: { host, port: 0 } }, deps);
});

test('an address in use rejects at start', async () => {
  await withAdmin({}, async (_ask, port) => {
    const second = createAdmin(
      { listen: { host: '127.0.0.1', port } },
      {
        health: () => fine,
        ready: () => Promise.resolve({}),
        metrics: () => Promise.resolve(''),
        metricsType: 'text/plain',
        log: { error: () => undefined },
      },
    );
    await assert.rejects(second.start(), { code: 'EADDRINUSE' });
  });
});

test('connections that say nothing do not keep a probe out: whoever waits longest gives way', async () => {
  await withAdmin({}, async (ask, port) => {
    const silent = Array.from({ length: 80 }, () => open(port));
    await Promise.all(silent.map(({ socket }) => once(socket, 'connect')));
    assert.equal((await ask('/healthz')).status, 200);
    await Promise.all(silent.slice(0, 17).map(({ closed }) => closed));
    for (const { socket } of silent) socket.destroy();
  });
});

test('nor do those that asked once and keep their connection', async () => {
  await withAdmin({}, async (ask, port) => {
    const kept = Array.from({ length: 64 }, () => open(port));
    await Promise.all(
      kept.map(async ({ socket }) => {
        socket.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
        await once(socket.removeAllListeners('data'), 'data');
      }),
    );
    assert.equal((await ask('/healthz')).status, 200);
    for (const { socket } of kept) socket.destroy();
  });
});

/** An address of this machine that is not loopback. */
const elsewhere = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

test(
  '/status is for callers on loopback, also where health and metrics are for others',
  { skip: elsewhere === undefined && 'this machine has no address beyond loopback' },
  async (context) => {
    const admin = createAdmin(
      { listen: { host: '0.0.0.0', port: 0 }, unsafeBeyondLoopback: true },
      {
        health: () => fine,
        ready: () => Promise.resolve({}),
        metrics: () => Promise.resolve(''),
        metricsType: 'text/plain',
        status: () => ({ version: '0.1.0' }),
        log: { error: () => undefined },
      },
    );
    const { port } = await admin.start();
    context.after(() => admin.stop(0));
    const status = async (host: string, path: string) => (await fetch(`http://${host}:${port}${path}`)).status;
    assert.equal(await status('127.0.0.1', '/status'), 200);
    assert.equal(await status(`${elsewhere}`, '/status'), 404);
    assert.equal(await status(`${elsewhere}`, '/healthz'), 200);
  },
);
