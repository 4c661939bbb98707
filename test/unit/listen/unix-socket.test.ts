import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { FramePeer, frame, getFrame, PREFACE, settings, TYPE } from '../../support/http2-frame-peer.ts';
import { RawPeer } from '../../support/raw-http1-peer.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { PlainBench } from './plain-bench.ts';

const GET = 'GET / HTTP/1.1\r\nHost: agent.test\r\n\r\n';

async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  return socket;
}

/** A path where a process that was killed had listened: the file is there, nobody behind it. */
async function leftover(path: string): Promise<void> {
  const server = createServer();
  const bound = `${path}.bound`;
  server.listen(bound);
  await once(server, 'listening');
  await rename(bound, path);
  server.close();
  await once(server, 'close');
}

test('HTTP/1.1 and HTTP/2 over a unix socket; its facts have no addresses', async (t) => {
  const path = join(await tempFolder(t), 's');
  await using bench = new PlainBench({}, { path, mode: 0o600 });
  assert.deepEqual(await bench.listener.start(), { address: '', port: 0 });
  const first = bench.keep(new RawPeer(await connected(path)));
  first.send(GET);
  assert.equal((await first.response()).body, 'ok');
  const second = bench.keep(new FramePeer(await connected(path)));
  second.send(PREFACE, frame(TYPE.settings, 0, 0, settings([])), getFrame(1));
  await second.next(TYPE.data);
  const { connection } = await bench.handler.next('admit');
  assert.deepEqual(
    [connection.remote, connection.local],
    [
      { address: '', port: 0 },
      { address: '', port: 0 },
    ],
  );
  assert.equal(connection.listener, 'plain:0');
});

for (const mode of [0o600, 0o660, 0o622]) {
  test(`the file has mode ${mode.toString(8)} from the first moment, and the process its umask`, async (t) => {
    const path = join(await tempFolder(t), 's');
    const umask = process.umask();
    await using bench = new PlainBench({}, { path, mode });
    const started = bench.listener.start();
    while (!existsSync(path)) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(statSync(path).mode & 0o777, mode);
    await started;
    assert.equal(statSync(path).mode & 0o777, mode);
    assert.equal(process.umask(), umask);
  });
}

test('the file goes with the listener', async (t) => {
  const path = join(await tempFolder(t), 's');
  const bench = new PlainBench({}, { path, mode: 0o600 });
  await bench.listener.start();
  await bench.listener.stop(0);
  assert.equal(existsSync(path), false);
});

test('what a killed process left is replaced', async (t) => {
  const path = join(await tempFolder(t), 's');
  await leftover(path);
  assert.ok(statSync(path).isSocket());
  await using bench = new PlainBench({}, { path, mode: 0o600 });
  await bench.listener.start();
  const peer = bench.keep(new RawPeer(await connected(path)));
  peer.send(GET);
  assert.equal((await peer.response()).body, 'ok');
});

test('what somebody listens on is left alone, and so is any other file', async (t) => {
  const folder = await tempFolder(t);
  const path = join(folder, 's');
  await using bench = new PlainBench({}, { path, mode: 0o600 });
  await bench.listener.start();
  await assert.rejects(new PlainBench({}, { path, mode: 0o600 }).listener.start(), { code: 'EADDRINUSE' });
  const peer = bench.keep(new RawPeer(await connected(path)));
  peer.send(GET);
  assert.equal((await peer.response()).body, 'ok');
  const file = join(folder, 'file');
  writeFileSync(file, 'mine');
  await assert.rejects(new PlainBench({}, { path: file, mode: 0o600 }).listener.start(), { code: 'EEXIST' });
  assert.ok(existsSync(file));
  await assert.rejects(new PlainBench({}, { path: join(folder, 'none', 's'), mode: 0o600 }).listener.start(), {
    code: 'EACCES',
  });
});

test('path and mode cannot change while it runs', async (t) => {
  const path = join(await tempFolder(t), 's');
  await using bench = new PlainBench({}, { path, mode: 0o600 });
  await bench.listener.start();
  assert.ok(bench.listener.reload(bench.settings).ok);
  assert.equal(bench.listener.reload({ ...bench.settings, unixSocket: { path, mode: 0o666 } }).ok, false);
  assert.equal(bench.listener.reload({ ...bench.settings, unixSocket: undefined }).ok, false);
});
