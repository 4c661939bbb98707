import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect as connectHttp2Plain, type ClientHttp2Stream } from 'node:http2';
import { test, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { WebSocket } from 'ws';

import type { RevocationRequest } from '../../src/io/authority/revoking.ts';
import { startAuthorityProcess, type AuthorityProcess } from '../support/authority-process.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { enrolPeer, type EnrolledPeer } from '../support/enrolled-peer.ts';
import { startHttpAgent } from '../support/http-agent.ts';
import type { Issued } from '../support/pki.ts';
import { identitiesOf, livingFolder, startLiving } from '../support/living-sidecar.ts';
import { connectRaw } from '../support/raw-http1-peer.ts';
import type { LogEntry, SidecarProcess } from '../support/sidecar-process.ts';
import {
  ask,
  closeOf,
  connectHttp1,
  connectHttp2,
  get,
  grpcHead,
  grpcMessage,
  openGrpcStream,
  openWebSocket,
  type OpenThing,
  type Reachable,
} from '../support/system-clients.ts';
import { clientTls } from '../support/system.ts';
import { TlsDestination } from '../support/tls-destination.ts';
import { PLANNER_ID, RESEARCHER_HOST, RESEARCHER_ID } from '../support/two-sidecars.ts';

/** The promise: from when a sidecar has learned of it to the end of every connection of that peer. */
const WITHIN_MS = 1_000;

/** How a peer may be named to the authority. */
const WAYS: Readonly<Record<string, (peer: EnrolledPeer, id: string) => RevocationRequest['which']>> = {
  'its serial number': ({ serialHex }) => ({ serial: serialHex }),
  'its ID': (_peer, id) => ({ spiffeId: id }),
  'its key': ({ spkiSha256 }) => ({ spkiSha256 }),
};

/** When something happened, by the wall clock that logs and this process share. */
type Ended = { readonly name: string; readonly atMs: number };

/** Revokes, waits for the end of everything that is open, and says how long that took. The sidecar has learned of it when its log says so. */
async function timeOfCut(
  context: TestContext,
  sidecar: SidecarProcess,
  open: readonly OpenThing[],
  revoke: () => void,
): Promise<void> {
  const before = identitiesOf(sidecar).length;
  const all: Ended[] = [];
  for (const { name, ended } of open) void ended.then(() => all.push({ name, atMs: Date.now() }));
  revoke();
  const revokedMs = Date.now();
  await sidecar.until('all to be cut', () => all.length === open.length);
  const learned = await sidecar.until<LogEntry>('the new trust in the log', () => identitiesOf(sidecar)[before]);
  const learnedMs = Date.parse(String(learned['time']));
  const times = all.map(({ name, atMs }) => ({ name, ms: atMs - learnedMs, sinceMs: atMs - revokedMs }));
  const said = times.map(({ name, ms, sinceMs }) => `${name} ${ms} ms (${sinceMs} ms after it was revoked)`);
  context.diagnostic(`cut after the sidecar knew: ${said.join(', ')}`);
  assert.deepEqual(
    times.filter(({ ms }) => ms >= WITHIN_MS),
    [],
  );
}

/** Ports of one sidecar's listeners: HTTP of all kinds, bytes, and an agent whose answers never end. */
const [HTTP, TCP, ENDLESS] = [0, 1, 2];

async function startInbound(context: TestContext, authority: AuthorityProcess): Promise<SidecarProcess> {
  const echo = await startEchoUpstream();
  const bytes = await startEchoUpstream({ tcp: true });
  const endless = await startHttpAgent(context, (_request, response) => void response.write('begun'));
  context.after(async () => {
    await Promise.all([echo.close(), bytes.close()]);
  });
  const upstreams = [
    `auto://127.0.0.1:${echo.port}`,
    `tcp://127.0.0.1:${bytes.port}`,
    `http://127.0.0.1:${endless.port}`,
  ];
  const inbound = upstreams.map((upstream) => ({ listen: '127.0.0.1:0', upstream }));
  const identity = { requireRevocationLists: true };
  return startLiving(
    context,
    await livingFolder(context, authority, { id: RESEARCHER_ID, upstream: '', identity, config: { inbound } }),
  );
}

/** One connection of each of the five kinds, each with something under way on it. */
async function openFive(
  context: TestContext,
  at: (inbound: number) => Reachable,
  peer: Issued,
): Promise<readonly OpenThing[]> {
  const http1 = await connectHttp1(context, at(ENDLESS), peer);
  http1.send('GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n');
  await http1.until('begun');
  const session = await connectHttp2(context, at(ENDLESS), peer);
  const http2 = ask(session, { ':method': 'GET' });
  await once(http2, 'data');
  const grpc = await openGrpcStream(context, at(HTTP), peer);
  const webSocket = await openWebSocket(context, at(HTTP), peer);
  const tcp = connectTls({ host: '127.0.0.1', port: at(TCP).sidecar.port, ...at(TCP).tls(peer), ALPNProtocols: [] });
  context.after(() => tcp.destroy());
  tcp.on('error', () => undefined).write('ping');
  await once(tcp, 'data');
  return [
    { name: 'HTTP/1.1', ended: http1.ended },
    { name: 'HTTP/2', ended: Promise.all([closeOf(http2), once(session, 'close')]) },
    { name: 'a gRPC stream', ended: closeOf(grpc) },
    { name: 'WebSocket', ended: webSocket.ended },
    { name: 'TCP', ended: once(tcp, 'close') },
  ];
}

test(
  'a peer that the authority revokes is cut on all five kinds of connections',
  { timeout: 60_000 },
  async (context) => {
    const authority = await startAuthorityProcess(context);
    const sidecar = await startInbound(context, authority);
    const roots = { bundlePem: await readFile(authority.rootsFile, 'utf8') };
    const at = (inbound: number): Reachable => ({
      sidecar: { port: sidecar.portOf(inbound) },
      tls: (issued, alpn = 'http/1.1') => clientTls(roots, issued, alpn),
    });
    const bystander = await connectHttp1(
      context,
      at(HTTP),
      await enrolPeer(authority, 'spiffe://example.org/bystander'),
    );

    for (const [index, [way, which]] of Object.entries(WAYS).entries()) {
      await context.test(`by ${way}`, async (context) => {
        const id = `spiffe://example.org/peer-${index}`;
        const peer = await enrolPeer(authority, id);
        const before = sidecar.records().length;
        const open = await openFive(context, at, peer);
        await timeOfCut(context, sidecar, open, () => authority.revoke(which(peer, id)));
        const records = await sidecar.recordsFrom(before, open.length);
        assert.deepEqual(
          records.map(({ sallyport: { peer: caller, outcome } }) => [caller, outcome.kind, outcome.fault]),
          open.map(() => [id, 'aborted', 'peer_certificate_revoked']),
        );
        assert.equal((await get(bystander, '/')).status, 200, 'another peer goes on');
        const again = await connectRaw({ port: sidecar.portOf(HTTP), tls: at(HTTP).tls(peer) });
        assert.equal(await again.rest(), '', 'it is not let in again');
        const [, refused, ...more] = await sidecar.recordsFrom(before + open.length, 2);
        assert.deepEqual([refused?.sallyport.fault, more], ['peer_certificate_revoked', []]);
      });
    }
  },
);

/** The planner's sidecar, before a server of the researcher's ID that is none of ours. */
async function startOutbound(context: TestContext, authority: AuthorityProcess, port: number): Promise<SidecarProcess> {
  const destinations = { [RESEARCHER_HOST]: { address: `127.0.0.1:${port}`, id: RESEARCHER_ID } };
  const config = { outbound: [{ listen: '127.0.0.1:0', destinations }] };
  const planner = { id: PLANNER_ID, upstream: `http://127.0.0.1:${port}`, config };
  return startLiving(context, await livingFolder(context, authority, planner));
}

/** One call of each kind that an agent makes, each with an answer under way. */
async function callFour(context: TestContext, port: number): Promise<readonly OpenThing[]> {
  const http1 = request({ host: '127.0.0.1', port, headers: { host: RESEARCHER_HOST } }).end();
  const http1Ended = Promise.withResolvers<undefined>();
  http1.on('error', () => http1Ended.resolve(undefined));
  const [response] = (await once(http1, 'response')) as [NodeJS.ReadableStream];
  response.on('error', () => undefined).on('close', () => http1Ended.resolve(undefined));
  await once(response, 'data');
  const session = connectHttp2Plain(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  const head = { ':scheme': 'http', ':authority': RESEARCHER_HOST };
  const http2 = ask(session, { ...head, ':method': 'GET' });
  await once(http2, 'data');
  const grpc: ClientHttp2Stream = ask(session, { ...grpcHead('/test.Echo/Stream'), ...head }, false);
  grpc.write(grpcMessage('first'));
  await once(grpc, 'data');
  // A call is over when its status is there: closing the half that is the agent's own is up to the agent.
  const status = once(grpc, 'trailers');
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: RESEARCHER_HOST } });
  webSocket.on('error', () => undefined);
  await once(webSocket, 'open');
  context.after(() => {
    http1.destroy();
    session.destroy();
    webSocket.terminate();
  });
  return [
    { name: 'HTTP/1.1', ended: http1Ended.promise },
    { name: 'HTTP/2', ended: closeOf(http2) },
    { name: 'a gRPC stream', ended: status },
    { name: 'WebSocket', ended: once(webSocket, 'close') },
  ];
}

test("an agent's calls to a server that the authority revokes are cut", { timeout: 60_000 }, async (context) => {
  const authority = await startAuthorityProcess(context);
  const server = await enrolPeer(authority, RESEARCHER_ID);
  const destination = await TlsDestination.start(server, {
    handler: ({ headers }, response) => {
      const type = headers['content-type'];
      if (type !== undefined) response.setHeader('content-type', type);
      response.write('begun');
    },
  });
  context.after(() => destination.close());
  const planner = await startOutbound(context, authority, destination.port);
  const open = await callFour(context, planner.outboundPort());
  await timeOfCut(context, planner, open, () => authority.revoke({ serial: server.serialHex }));
  const records = await planner.recordsFrom(0, open.length);
  assert.deepEqual(
    records.map(({ sallyport: { direction, outcome } }) => [direction, outcome.kind, outcome.fault]),
    open.map(() => ['outbound', 'upstream-failed', 'destination_unverified']),
  );
});
