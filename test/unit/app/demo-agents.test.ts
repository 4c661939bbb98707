import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { startAgents, startSidecar } from '../../../src/app/demo-agents.ts';
import { locateClone } from '../../../src/app/demo-clone.ts';
import { ProcessFault } from '../../../src/app/demo-process.ts';
import { Processes } from '../../../src/app/demo-processes.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

const located = locateClone();
assert.ok(located.ok);
const clone = located.value;

test('a sidecar that cannot start is a fault that shows why', async (context) => {
  const folder = await tempFolder(context);
  const processes = new Processes();
  context.after(() => processes.stop());
  await assert.rejects(startSidecar(clone, folder, 'http', 'http://127.0.0.1:9', processes), (fault: Error) => {
    assert.ok(fault instanceof ProcessFault);
    assert.match(fault.message, /^the sidecar of http ended with code [23]\n/);
    assert.match(fault.message, /certs\/http\.pem/);
    return true;
  });
  assert.match(await readFile(join(folder, 'http.yaml'), 'utf8'), /upstream: http:\/\/127\.0\.0\.1:9\n/);
});

test('an agent that ends instead of listening is a fault with its last words', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, { 'agent.mjs': 'console.error("no such port"); process.exit(1);' });
  const processes = new Processes();
  context.after(() => processes.stop());
  const broken = { ...clone, httpServer: join(folder, 'agent.mjs') };
  await assert.rejects(startAgents(broken, folder, processes), (fault: Error) => {
    assert.equal(fault.message, 'the HTTP agent ended with code 1\n  | no such port');
    return true;
  });
});

test('the MCP server listens on a unix socket, the others on loopback ports of their own choice', async (context) => {
  const folder = await tempFolder(context);
  const processes = new Processes();
  context.after(() => processes.stop());
  const { mcp, http, grpc } = await startAgents(clone, folder, processes);
  assert.equal(mcp, `http+unix://${folder}/mcp.sock`);
  assert.match(`${http} ${grpc}`, /^http:\/\/127\.0\.0\.1:\d+ h2c:\/\/127\.0\.0\.1:\d+$/);
});
