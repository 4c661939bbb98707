import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { startAuthorityProcess } from '../support/authority-process.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { identitiesOf, livingFolder } from '../support/living-sidecar.ts';
import { spawnSidecar } from '../support/sidecar-process.ts';

const ID = 'spiffe://example.org/researcher';

// Without an admin listener, and before there is an identity to listen with, nothing of Node's own keeps a process alive.

test('an authority that is down is waited for, without an admin listener too', async (context) => {
  const authority = await startAuthorityProcess(context, { started: false });
  const agent = await startEchoUpstream();
  context.after(agent.close);
  const upstream = `auto://127.0.0.1:${agent.port}`;
  const living = await livingFolder(context, authority, { id: ID, upstream, config: { admin: undefined } });
  const sidecar = await spawnSidecar(context, living.folder, living.config);
  await sidecar.logged(/enrolment: nothing listens there/);
  await sidecar.logged('policy revision active');
  await authority.start();
  await sidecar.logged('listening');
  assert.equal(identitiesOf(sidecar)[0]?.['spiffe_id'], ID);
  assert.deepEqual(sidecar.complaints, []);
  assert.equal(await sidecar.stop(), 0);
});

test('so is a Workload API that is not there, and a sidecar that waits ends when it is told', async (context) => {
  const authority = await startAuthorityProcess(context, { started: false });
  const options = { id: ID, upstream: 'http://127.0.0.1:1', config: { admin: undefined } };
  const workloadApi = { socket: `unix://${join(authority.folder, 'none.sock')}` };
  const living = await livingFolder(context, authority, { ...options, workloadApi });
  const sidecar = await spawnSidecar(context, living.folder, living.config);
  await sidecar.logged(/there is no such socket/);
  await sidecar.logged('policy revision active');
  assert.equal(await sidecar.stop(), 0);
  assert.deepEqual(sidecar.complaints, []);
});
