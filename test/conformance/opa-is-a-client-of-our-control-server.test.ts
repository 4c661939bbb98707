import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { Agent, request } from 'undici';

import { packBundle } from '../../src/core/bundle/write-bundle.ts';
import { startControlServer, type ControlServer, type Event } from '../support/control-server.ts';
import { OPA, needsNativeOpa } from '../support/native-opa.ts';
import { deltaArchive } from '../support/policy-archives.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

/** Our double would prove nothing if they spoke something else than OPA does: here OPA itself is their client. */
async function world(context: TestContext): Promise<{ server: ControlServer; ask: () => Promise<unknown> }> {
  const server = await startControlServer(context);
  server.token = 'abc';
  server.longPolling = true;
  server.offer(bundle(1));
  const folder = await tempFolder(context);
  await writeFile(join(folder, 'ca.pem'), server.trustPem);
  const config = {
    services: {
      control: {
        url: server.url(''),
        tls: { ca_cert: join(folder, 'ca.pem') },
        credentials: { bearer: { token: 'abc' } },
      },
    },
    bundles: {
      agents: { service: 'control', resource: 'bundles/agents', polling: { long_polling_timeout_seconds: 20 } },
    },
    decision_logs: { service: 'control', reporting: { min_delay_seconds: 1, max_delay_seconds: 1 } },
    status: { service: 'control' },
    labels: { cluster: 'test' },
  };
  const path = join(folder, 'opa.json');
  await writeFile(path, JSON.stringify(config));
  const address = join(folder, 'opa.sock');
  const args = [
    'run',
    '--server',
    '--addr',
    `unix://${address}`,
    '--config-file',
    path,
    '--disable-telemetry',
    '--log-level',
    'error',
  ];
  const child = spawn(OPA, args, { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  context.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { server, ask: () => decisionOf(address) };
}

function bundle(n: number): Uint8Array {
  const text = new TextEncoder();
  return packBundle(
    new Map([
      ['.manifest', text.encode(JSON.stringify({ revision: `r${n}`, roots: ['a', 'n'] }))],
      ['a.rego', text.encode('package a\n\nanswer := data.n\n')],
      ['data.json', text.encode(JSON.stringify({ n }))],
    ]),
  );
}

async function decisionOf(socketPath: string): Promise<unknown> {
  const dispatcher = new Agent({ connect: { socketPath } });
  try {
    const { body } = await request('http://opa/v1/data/a/answer', { method: 'POST', body: '{"input":{}}', dispatcher });
    return ((await body.json()) as { result?: unknown }).result;
  } catch {
    return undefined;
  } finally {
    await dispatcher.close();
  }
}

test('OPA takes bundles from it: ETag, long polling, deltas', needsNativeOpa, async (context) => {
  const { server, ask } = await world(context);
  await until('the first bundle', async () => (await ask()) === 1);
  await until('a request that is held', () => server.held === 1);
  const { headers } = server.received.findLast(({ path }) => path === '/bundles/agents') ?? {};
  assert.equal(headers?.['prefer'], 'modes=snapshot,delta;wait=20');
  assert.match(String(headers?.['if-none-match']), /^"[0-9a-f]{64}"$/);
  server.offer(bundle(2));
  await until('the second bundle', async () => (await ask()) === 2);
  await until('a request that is held', () => server.held === 1);
  server.offer(
    deltaArchive({ revision: 'r3', operations: [{ op: 'upsert', path: '/n', value: 3 }], roots: ['a', 'n'] }),
  );
  await until('the delta', async () => (await ask()) === 3);
});

test(
  'OPA uploads decisions and status to it: ours have every member that its own have',
  needsNativeOpa,
  async (context) => {
    const { server, ask } = await world(context);
    await until('a decision', async () => (await ask()) === 1);
    const event = await until<Event>('an event with a result', () =>
      server.events.find((each) => each['result'] === 1),
    );
    const upload = server.received.find(({ path }) => path === '/logs');
    assert.deepEqual(
      [upload?.method, upload?.headers['content-type'], upload?.headers['content-encoding']],
      ['POST', 'application/json', 'gzip'],
    );
    for (const member of ['labels', 'decision_id', 'bundles', 'path', 'input', 'result', 'timestamp', 'metrics']) {
      assert.ok(Object.hasOwn(event, member), member);
    }
    assert.deepEqual(event['bundles'], { agents: { revision: 'r1' } });
    // OPA reports as soon as the revision is active, and again when its plugin says so.
    const status = await until('a status with the revision', () => {
      return server.statuses.find(({ bundles, plugins }) => {
        const told = JSON.stringify([bundles, plugins]);
        return told.includes('"active_revision":"r1"') && told.includes('"bundle":{"state":"OK"');
      });
    });
    const { agents } = status['bundles'] as Record<string, Record<string, unknown>>;
    for (const member of [
      'name',
      'active_revision',
      'last_request',
      'last_successful_request',
      'last_successful_download',
      'last_successful_activation',
      'type',
      'size',
    ]) {
      assert.ok(Object.hasOwn(agents ?? {}, member), member);
    }
    assert.equal((status['labels'] as Record<string, unknown>)['cluster'], 'test');
    assert.equal((status['plugins'] as Record<string, { state: string }>)['bundle']?.state, 'OK');
  },
);
