import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';

import type { Issued } from '../support/pki.ts';
import type { DecisionRecord } from '../../src/core/model/record.ts';
import { startSystem, type System } from '../support/system.ts';

/** The real process before an agent that is no HTTP server. The decision is about the connection, by its peer alone. */
const POLICY = `package test.authz

default decision := false

decision if input.sallyport.peer.spiffe_id == "spiffe://example.org/caller"
`;

type Agent = { readonly port: number; readonly accepted: readonly Socket[] };

/** What the agent does with each connection is the test's; it may half-close. */
async function startAgent(context: TestContext, serve: (socket: Socket) => void): Promise<Agent> {
  const accepted: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(async () => {
    for (const socket of accepted) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, accepted };
}

/** A TLS connection that may half-close; without ALPN, as nothing is to be agreed on. */
async function connect(context: TestContext, system: System, issued?: Issued): Promise<TLSSocket & { reset(): void }> {
  const { ALPNProtocols: _, ...tls } = system.tls(issued);
  const below = connectTcp({ port: system.sidecar.port, host: '127.0.0.1', allowHalfOpen: true });
  const socket = connectTls({ socket: below, ...tls });
  socket.on('error', () => undefined);
  context.after(() => socket.destroy());
  await once(socket, 'secureConnect');
  return Object.assign(socket, {
    reset: () => {
      below.resetAndDestroy();
    },
  });
}

/** All bytes until the other side has ended or reset; the socket itself stays as it is, to be written to. */
async function everything(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once('end', resolve).once('close', resolve);
  await promise;
  return Buffer.concat(chunks);
}

const facts = ({ sallyport: { verdict, fault, outcome } }: DecisionRecord): unknown => [
  verdict,
  fault,
  outcome.kind,
  outcome.fault,
  outcome.bytes_in,
  outcome.bytes_out,
];

test(
  'bytes pass both ways, each direction ends by itself, and the record counts them',
  { timeout: 60_000 },
  async (context) => {
    const agent = await startAgent(context, (socket) => {
      socket.write('SSH-2.0-agent\r\n');
      void everything(socket).then((bytes) => socket.end(`got ${bytes.length}`));
    });
    const system = await startSystem(context, { upstream: `tcp://127.0.0.1:${agent.port}`, policy: POLICY });
    const bystander = await connect(context, system);
    await once(bystander, 'data');

    const peer = await connect(context, system);
    const [banner] = (await once(peer, 'data')) as [Buffer];
    assert.equal(banner.toString(), 'SSH-2.0-agent\r\n', 'the agent may speak first');
    const large = Buffer.alloc(1_048_576, 'bytes ');
    peer.end(large);
    assert.equal((await everything(peer)).toString(), `got ${large.length}`, 'it answers after our half has ended');

    const [record, ...more] = await system.sidecar.recordsFrom(0, 1);
    const out = banner.length + `got ${large.length}`.length;
    assert.deepEqual(record && facts(record), ['allow', undefined, 'forwarded', undefined, large.length, out]);
    assert.equal(record?.sallyport.peer, 'spiffe://example.org/caller');
    assert.deepEqual(more, []);
    assert.equal(
      await system.sidecar.metric(
        'sallyport_requests_total{direction="inbound",style="tcp",verdict="allow",fault="none"}',
      ),
      1,
    );
    bystander.end('four');
    assert.equal((await everything(bystander)).toString(), 'got 4', 'the other connection went on');
  },
);

test(
  'a peer that policy refuses is closed, and no connection to the agent is opened',
  { timeout: 60_000 },
  async (context) => {
    const agent = await startAgent(context, (socket) => socket.pipe(socket));
    const system = await startSystem(context, { upstream: `tcp://127.0.0.1:${agent.port}`, policy: POLICY });
    const stranger = system.authority.issue({ id: 'spiffe://example.org/stranger' });
    const refused = await connect(context, system, stranger);
    refused.write('let me in');
    assert.equal((await everything(refused)).length, 0, 'it is told nothing');
    const [record, ...more] = await system.sidecar.recordsFrom(0, 1);
    assert.deepEqual(record && facts(record), ['deny', 'policy_denied', 'refused', undefined, 0, 0]);
    assert.deepEqual(more, []);
    assert.equal(agent.accepted.length, 0);

    const peer = await connect(context, system);
    peer.write('echo');
    assert.deepEqual(await once(peer, 'data'), [Buffer.from('echo')]);
  },
);

test('an agent that resets ends the connection, with a record', { timeout: 60_000 }, async (context) => {
  const agent = await startAgent(context, (socket) => {
    socket.write('hello');
    socket.once('data', () => socket.resetAndDestroy());
  });
  const system = await startSystem(context, { upstream: `tcp://127.0.0.1:${agent.port}`, policy: POLICY });
  const peer = await connect(context, system);
  await once(peer, 'data');
  peer.write('die');
  await everything(peer);
  const [record, ...more] = await system.sidecar.recordsFrom(0, 1);
  assert.deepEqual(record && facts(record), ['allow', undefined, 'upstream-failed', 'upstream_aborted', 3, 5]);
  assert.deepEqual(more, []);
});

test('a peer that resets ends it at the agent, with a record', { timeout: 60_000 }, async (context) => {
  const ended = Promise.withResolvers<void>();
  const agent = await startAgent(context, (socket) => {
    socket.pipe(socket).once('close', () => ended.resolve());
  });
  const system = await startSystem(context, { upstream: `tcp://127.0.0.1:${agent.port}`, policy: POLICY });
  const peer = await connect(context, system);
  peer.write('echo');
  await once(peer, 'data');
  peer.reset();
  await ended.promise;
  const [record, ...more] = await system.sidecar.recordsFrom(0, 1);
  assert.deepEqual(record && facts(record), ['allow', undefined, 'aborted', 'peer_aborted', 4, 4]);
  assert.deepEqual(more, []);
});

test('an agent that is not there: closed, and the record says so', { timeout: 60_000 }, async (context) => {
  // tcpmux: nobody serves it.
  const system = await startSystem(context, { upstream: 'tcp://127.0.0.1:1', policy: POLICY });
  const peer = await connect(context, system);
  assert.equal((await everything(peer)).length, 0);
  const [record] = await system.sidecar.recordsFrom(0, 1);
  assert.deepEqual(record && facts(record), ['allow', undefined, 'upstream-failed', 'upstream_unreachable', 0, 0]);
});
