import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';

import { startEchoUpstream } from '../support/echo-upstream.ts';
import { createAuthority, type Issued } from '../support/pki.ts';
import { ALLOW_ALL, CALLER_ID, startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';

/** What one connection gave: whether the session was resumed, the answer's first line, and the newest session to resume from. */
type Visit = { readonly resumed: boolean; readonly status: string; readonly session: Buffer | undefined };

/** One GET over a connection of its own, with `session` where there is one. */
async function visit(system: System, peer: Issued, session: Buffer | undefined): Promise<Visit> {
  const socket: TLSSocket = connect({
    ...system.tls(peer),
    host: '127.0.0.1',
    port: system.sidecar.port,
    ...(session !== undefined && { session }),
  });
  let received = '';
  let newest: Buffer | undefined;
  socket.on('session', (ticket) => {
    newest = ticket;
  });
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await new Promise((resolve) => {
    socket.once('secureConnect', resolve);
    socket.once('close', resolve);
  });
  const resumed = socket.isSessionReused();
  socket.write('GET / HTTP/1.1\r\nHost: agent.test\r\nConnection: close\r\n\r\n');
  await closed;
  return { resumed, status: received.split('\r\n', 1)[0] ?? '', session: newest };
}

async function start(context: TestContext, resumption: boolean): Promise<System> {
  const upstream = await startEchoUpstream();
  context.after(upstream.close);
  const authority = createAuthority();
  return startSystem(context, {
    authority,
    upstream: `http://127.0.0.1:${upstream.port}`,
    policy: ALLOW_ALL,
    inbound: { tls: { resumption } },
    identity: { revocationLists: ['lists.pem'] },
    files: { 'lists.pem': authority.crl({ number: 1n }).pem },
  });
}

test('promise 6: a resumed session is judged like any other connection', { timeout: 60_000 }, async (context) => {
  const system = await start(context, true);
  const peer = system.authority.issue({ id: CALLER_ID });
  const first = await visit(system, peer, undefined);
  assert.equal(first.status, 'HTTP/1.1 200 OK');
  assert.ok(first.session, 'where it is switched on, tickets are given out');

  const second = await visit(system, peer, first.session);
  assert.equal(second.resumed, true);
  assert.equal(second.status, 'HTTP/1.1 200 OK');
  const [, resumed] = await system.sidecar.recordsFrom(0, 2);
  assert.equal(
    (resumed?.input as { sallyport: { peer: { resumed: boolean } } } | undefined)?.sallyport.peer.resumed,
    true,
  );
  assert.equal(resumed?.sallyport.peer, CALLER_ID, 'the identity is that of the certificate of the full handshake');

  await system.replace('lists.pem', system.authority.crl({ revoked: [peer.serial], number: 2n }).pem);
  // A visit that is under way when the list comes into force is cut, not refused; the next one is refused.
  const refused = await until('the revoked peer to be refused, with its record', async () => {
    await visit(system, peer, second.session);
    const denied = system.sidecar.records().filter(({ sallyport }) => sallyport.verdict === 'deny');
    return denied.length > 0 && denied;
  });
  for (const { sallyport } of refused) assert.equal(sallyport.fault, 'peer_certificate_revoked');
});

test('by default nothing is resumed', { timeout: 60_000 }, async (context) => {
  const system = await start(context, false);
  const peer = system.authority.issue({ id: CALLER_ID });
  const first = await visit(system, peer, undefined);
  assert.equal(first.status, 'HTTP/1.1 200 OK');
  const second = await visit(system, peer, first.session);
  assert.equal(second.resumed, false);
  assert.equal(second.status, 'HTTP/1.1 200 OK');
});
