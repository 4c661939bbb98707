import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { CHART } from '../../support/chart.ts';

/** What `helm test` runs; the rest of it is for a cluster, and `helm test` runs it there. */
const SCRIPT = join(CHART, 'files', 'installed.mjs');

async function injectorSaying(context: TestContext, status: number): Promise<string> {
  const server = createServer((_request, response) =>
    response.writeHead(status).end('{"webhook":"no certificate yet"}'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return `http://127.0.0.1:${address.port}`;
}

async function run(env: Readonly<Record<string, string>>): Promise<{ code: unknown; said: string }> {
  const child = spawn(process.execPath, [SCRIPT], {
    env: { TRIES_MS: '0', NAMESPACE: 'trial', ...env },
    timeout: 20_000,
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, said };
}

test('each check tells its outcome, and one that fails fails the test', async (context) => {
  const { code, said } = await run({ INJECTOR: await injectorSaying(context, 200) });
  assert.equal(code, 1);
  assert.match(said, /^ok {6}the injector is ready$/m);
  // Outside of a pod there is no token.
  assert.match(said, /^FAILED {2}ENOENT.*serviceaccount/m);
});

test('an injector that is not ready is told with its own words', async (context) => {
  const { code, said } = await run({ INJECTOR: await injectorSaying(context, 503) });
  assert.equal(code, 1);
  assert.match(said, /^FAILED {2}http:.*\/readyz says 503: {"webhook":"no certificate yet"}$/m);
});

test('an authority without roots proves nothing', async (context) => {
  const INJECTOR = await injectorSaying(context, 200);
  const { code, said } = await run({ INJECTOR, AUTHORITY: 'https://127.0.0.1:1', AUTHORITY_ID: 'spiffe://a.org/ca' });
  assert.equal(code, 1);
  assert.match(said, /^FAILED {2}ENOENT.*roots\.pem/m);
});
