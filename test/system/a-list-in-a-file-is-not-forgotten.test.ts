import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { createAuthority } from '../support/pki.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import { connectHttp1, get } from '../support/system-clients.ts';
import { ALLOW_ALL, startSystem } from '../support/system.ts';

test('whoever was revoked stays so when the file is overwritten with an older list, or with that of somebody else', async (context) => {
  const agent = await startEchoUpstream();
  context.after(agent.close);
  const authority = createAuthority();
  const gone = authority.issue({ id: 'spiffe://example.org/gone' });
  const system = await startSystem(context, {
    authority,
    upstream: `http://127.0.0.1:${agent.port}`,
    policy: ALLOW_ALL,
    identity: { revocationLists: ['lists.pem'] },
    files: { 'lists.pem': authority.crl({ number: 5n, revoked: [gone.serial] }).pem },
  });
  const replaced: readonly (readonly [list: string, said: RegExp])[] = [
    [authority.crl({ number: 4n }).pem, /is older than the one in force/],
    [createAuthority({ subject: 'stranger' }).crl().pem, /is in no file any more; the last one stays/],
  ];
  for (const [list, said] of replaced) {
    const from = system.sidecar.log.length;
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await system.replace('lists.pem', list);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await system.sidecar.logged(said, from);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const peer = await connectRaw({ port: system.sidecar.port, tls: system.tls(gone) });
    peer.send('GET / HTTP/1.1\r\nHost: agent.test\r\nConnection: close\r\n\r\n');
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    assert.equal(await peer.rest(), '', String(said));
  }
  await system.replace('lists.pem', authority.crl({ number: 6n }).pem);
  await system.sidecar.until('the newer list', async () => {
    const peer = await connectHttp1(context, system, gone);
    return get(peer, '/').then(
      ({ status }) => status === 200,
      () => false,
    );
  });
});
