import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { renewIssuing } from '../../src/io/authority/root-rotation.ts';
import { ISSUING, startAuthorityProcess } from '../support/authority-process.ts';
import { valueOf } from '../support/authority-world.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { enrolPeer } from '../support/enrolled-peer.ts';
import { livingFolder, startLiving } from '../support/living-sidecar.ts';
import { connectHttp1, get, type Reachable } from '../support/system-clients.ts';
import { clientTls } from '../support/system.ts';

// Where lists are required, a certificate of a CA whose list has not arrived is refused: that CA may issue only once the list had time to arrive.
test(
  'the first certificate of a new issuing CA is believed by all who follow trust',
  { timeout: 60_000 },
  async (context) => {
    const agent = await startEchoUpstream();
    context.after(agent.close);
    const authority = await startAuthorityProcess(context, { list: '10s' });
    const living = await livingFolder(context, authority, {
      id: 'spiffe://example.org/researcher',
      upstream: `auto://127.0.0.1:${agent.port}`,
      identity: { requireRevocationLists: true },
    });
    const sidecar = await startLiving(context, living);
    const roots = { bundlePem: await readFile(authority.rootsFile, 'utf8') };
    const before = await enrolPeer(authority, 'spiffe://example.org/before');
    const wanted = { issuing: ISSUING, revokeOld: false };
    valueOf(await renewIssuing(authority.store, wanted, authority.deps));
    // Nobody has heard of it yet, and those who follow trust will ask again in their own time.
    await authority.kill();
    await authority.start();
    // The first that the new CA signs, used at once.
    let count = 0;
    const first = await sidecar.until('a certificate of the new CA', async () => {
      const peer = await enrolPeer(authority, `spiffe://example.org/peer-${(count += 1)}`);
      const [, issuer = new Uint8Array()] = peer.chain;
      return Buffer.from(issuer).equals(before.chain[1] ?? issuer) ? undefined : peer;
    });
    const system: Reachable = { sidecar, tls: (issued = first, alpn = 'http/1.1') => clientTls(roots, issued, alpn) };
    const answer = await get(await connectHttp1(context, system), '/');
    context.diagnostic(`${count} certificates until then`);
    assert.equal(answer.status, 200);
  },
);
