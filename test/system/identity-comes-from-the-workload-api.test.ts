import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { startAuthorityProcess, type AuthorityProcess } from '../support/authority-process.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { enrolPeer } from '../support/enrolled-peer.ts';
import { certificatesOf, identitiesOf, livingFolder, startLiving, startWaiting } from '../support/living-sidecar.ts';
import type { LivingFolder } from '../support/living-sidecar.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import { closeOf, connectHttp1, get, openGrpcStream, type Reachable } from '../support/system-clients.ts';
import { clientTls } from '../support/system.ts';
import { tempFolder } from '../support/temp-folder.ts';

const PLANNER = 'spiffe://example.org/planner';
const RESEARCHER = 'spiffe://example.org/researcher';

type Local = { readonly authority: AuthorityProcess; readonly socket: string };

/** An authority that serves these identities on a unix socket, the default one first. */
async function startLocal(context: TestContext, ids: readonly string[], leaf: string): Promise<Local> {
  const path = join(await tempFolder(context), 'api.sock');
  const identities = ids.map((id) => ({ id, hint: id.slice(id.lastIndexOf('/') + 1) }));
  const authority = await startAuthorityProcess(context, {
    leaf,
    config: { workloadApi: { socket: path, identities } },
  });
  return { authority, socket: `unix://${path}` };
}

/** A sidecar before an echo upstream, to be started; `id`: which of the identities is its own, if not the default. */
async function sidecarOf(context: TestContext, { authority, socket }: Local, id?: string): Promise<LivingFolder> {
  const agent = await startEchoUpstream();
  context.after(agent.close);
  return livingFolder(context, authority, {
    id: RESEARCHER,
    upstream: `auto://127.0.0.1:${agent.port}`,
    workloadApi: { socket, ...(id !== undefined && { id }) },
    identity: { requireRevocationLists: true },
  });
}

describe('identity comes from the Workload API', { concurrency: true, timeout: 60_000 }, () => {
  test('it is had, renewed, and followed through a restart of its server', async (context) => {
    const local = await startLocal(context, [RESEARCHER, PLANNER], '10s');
    const sidecar = await startLiving(context, await sidecarOf(context, local));
    assert.equal(identitiesOf(sidecar)[0]?.['spiffe_id'], RESEARCHER, 'the default one');
    await sidecar.until('a renewal', () => certificatesOf(sidecar) === 2);
    await local.authority.kill();
    await sidecar.logged(/^workload-api: /);
    assert.match((await sidecar.admin('/readyz')).text, /"ok":true/, 'what it has is good still');
    await local.authority.start();
    await sidecar.until('one more', () => certificatesOf(sidecar) >= 3);
    await sidecar.logged('the source is good again');
    assert.deepEqual([...new Set(identitiesOf(sidecar).map((entry) => entry['spiffe_id']))], [RESEARCHER]);
  });

  test('a server that comes later is waited for', async (context) => {
    const local = await startLocal(context, [RESEARCHER], '1h');
    await local.authority.stop();
    const sidecar = await startWaiting(context, await sidecarOf(context, local));
    assert.equal((await sidecar.admin('/readyz')).status, 503);
    await local.authority.start();
    await sidecar.logged('listening');
    assert.equal(identitiesOf(sidecar)[0]?.['spiffe_id'], RESEARCHER);
  });

  test('an identity that is withdrawn ends at once, and all that is open with it', async (context) => {
    const local = await startLocal(context, [PLANNER, RESEARCHER], '1h');
    const { authority } = local;
    const sidecar = await startLiving(context, await sidecarOf(context, local, RESEARCHER));
    assert.equal(identitiesOf(sidecar)[0]?.['spiffe_id'], RESEARCHER, 'the one that was asked for');
    const peer = await enrolPeer(authority, 'spiffe://example.org/caller');
    const roots = { bundlePem: await readFile(authority.rootsFile, 'utf8') };
    const system: Reachable = { sidecar, tls: (issued = peer, alpn = 'http/1.1') => clientTls(roots, issued, alpn) };
    const kept = await connectHttp1(context, system);
    assert.equal((await get(kept, '/')).status, 200);
    const stream = await openGrpcStream(context, system);

    authority.revoke({ spiffeId: RESEARCHER }, true);
    const { reason } = await sidecar.logged('no identity is in force');
    context.diagnostic(String(reason));
    await Promise.all([kept.ended, closeOf(stream)]);
    const late = await connectRaw({ port: sidecar.port, tls: system.tls() });
    late.send('GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n');
    assert.equal(await late.rest(), '');
    const [, cut, refused, ...more] = await sidecar.recordsFrom(0, 3);
    assert.deepEqual(
      [cut?.sallyport.outcome.kind, cut?.sallyport.outcome.fault, refused?.sallyport.fault, more],
      ['aborted', 'identity_unavailable', 'identity_unavailable', []],
    );
    assert.equal((await sidecar.admin('/readyz')).status, 503);
  });

  // A server has no other word for this than PermissionDenied, and agents say that for a moment too while they start: it counts as being out of reach.
  test('where none is left, the server says so and the last one ends with its certificate', async (context) => {
    const local = await startLocal(context, [RESEARCHER], '10s');
    const sidecar = await startLiving(context, await sidecarOf(context, local));
    local.authority.revoke({ spiffeId: RESEARCHER }, true);
    await sidecar.logged(/PermissionDenied: no identity issued/);
    const { reason, time } = await sidecar.logged('no identity is in force');
    assert.match(String(reason), /our certificate expired/);
    const end = Date.parse(String(identitiesOf(sidecar).at(-1)?.['not_after']));
    assert.ok(Date.parse(String(time)) >= end);
    assert.equal((await sidecar.admin('/readyz')).status, 503);
  });
});
