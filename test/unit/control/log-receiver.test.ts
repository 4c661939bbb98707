import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';

import { createLogReceiver, type LogReceiver } from '../../../src/io/control/log-receiver.ts';
import { readBounded } from '../../../src/io/sources/read-file.ts';
import { systemTimer } from '../../../src/io/sources/timer.ts';
import { startControlServer, type ControlServer } from '../../support/control-server.ts';
import { tempFolder } from '../../support/temp-folder.ts';

async function world(context: TestContext): Promise<{ server: ControlServer; receiver: LogReceiver }> {
  const server = await startControlServer(context);
  const trustBundle = join(await tempFolder(context), 'ca.pem');
  await writeFile(trustBundle, server.trustPem);
  const receiver = createLogReceiver(
    { url: server.url('/logs'), trustBundle, token: 'abc', timeout: 30_000 },
    { readFile: readBounded, timer: systemTimer, wallMs: () => 0 },
  );
  context.after(() => receiver.stop());
  return { server, receiver };
}

test('OPA decision log service: POST of a JSON array, gzip', async (context) => {
  const { server, receiver } = await world(context);
  assert.deepEqual(await receiver.upload(gzipSync('[{"decision_id":"1"}]')), { kind: 'taken' });
  assert.deepEqual(server.events, [{ decision_id: '1' }]);
  const [one] = server.received;
  const { authorization, 'content-type': type, 'content-encoding': coding } = one?.headers ?? {};
  assert.deepEqual([one?.method, authorization, type, coding], ['POST', 'Bearer abc', 'application/json', 'gzip']);
});

test('400 and 422 say that it is refused for what is in it; other codes do not', async (context) => {
  const { server, receiver } = await world(context);
  for (const status of [400, 422, 401, 403, 404, 408, 409, 500, 503]) {
    server.faults.set('/logs', { kind: 'status', status });
    // oxlint-disable-next-line no-await-in-loop -- one upload at a time is the protocol
    const outcome = await receiver.upload(gzipSync('[]'));
    const kind = status === 400 || status === 422 ? 'refused' : 'failed';
    assert.deepEqual(outcome, { kind, code: `HTTP_${status}`, detail: `answered ${status}`, retryAfterMs: undefined });
  }
});

test('413 says that it is too large; other answers are failures with their Retry-After', async (context) => {
  const { server, receiver } = await world(context);
  const body = gzipSync('[]');
  server.maxUpload = 1;
  assert.deepEqual(await receiver.upload(body), { kind: 'too_large' });
  server.faults.set('/logs', { kind: 'status', status: 429, headers: { 'retry-after': '3' } });
  assert.deepEqual(await receiver.upload(body), {
    kind: 'failed',
    code: 'HTTP_429',
    detail: 'answered 429',
    retryAfterMs: 3_000,
  });
  server.faults.set('/logs', { kind: 'redirect', to: 'https://localhost/' });
  const redirected = await receiver.upload(body);
  assert.equal(redirected.kind === 'failed' && redirected.code, 'HTTP_307');
  server.faults.set('/logs', { kind: 'reset' });
  const cut = await receiver.upload(body);
  assert.equal(cut.kind === 'failed' && cut.code, 'BROKEN');
  assert.equal(server.uploads.length, 0);
});
