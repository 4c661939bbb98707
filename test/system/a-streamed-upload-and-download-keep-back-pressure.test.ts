import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';

import { startHttpAgent } from '../support/http-agent.ts';
import { ask, connectHttp1, connectHttp2, get } from '../support/system-clients.ts';
import { ALLOW_ALL, startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';

const CHUNK = Buffer.alloc(65_536, 'chunk ');
/** Far more than all buffers between the two ends may hold: the kernel's of three sockets, and ours. */
const FAR_MORE = 256 * 1_048_576;
/** What loopback's socket buffers may take together before the sidecar is asked to hold anything; they grow by themselves up to some MB each. */
const HELD_AT_MOST = 48 * 1_048_576;

/** Writes until `FAR_MORE` bytes are out, or as long as the other side takes them; tells how many went. */
class Source {
  written = 0;
  readonly #write: (chunk: Buffer) => boolean;

  constructor(write: (chunk: Buffer) => boolean) {
    this.#write = write;
  }

  /** To be called at the start and on each `drain`. */
  pump(): void {
    let more = true;
    while (more && this.written < FAR_MORE) {
      this.written += CHUNK.length;
      more = this.#write(CHUNK);
    }
  }
}

/** Waits until nothing has moved for half a second's worth of looks: everything between the two ends is full. */
async function untilStuck(source: Source): Promise<void> {
  let before = -1;
  let same = 0;
  await until('the flow to stop', () => {
    same = source.written === before ? same + 1 : 0;
    before = source.written;
    return same >= 50;
  });
}

/** Highest resident size of the process so far (`VmHWM`), bytes; undefined where the system does not tell. */
async function peakOf(system: System): Promise<number | undefined> {
  const status = await readFile(`/proc/${system.sidecar.pid}/status`, 'utf8').catch(() => '');
  const kib = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1_024;
}

async function report(context: TestContext, system: System, source: Source, before: number | undefined): Promise<void> {
  const after = await peakOf(system);
  context.diagnostic(`${(source.written / 1_048_576).toFixed(1)} MiB written when it stopped`);
  if (before === undefined || after === undefined) return;
  context.diagnostic(`peak RSS ${(before / 1_048_576).toFixed(1)} -> ${(after / 1_048_576).toFixed(1)} MiB`);
  assert.ok(after - before < HELD_AT_MOST, `the sidecar grew by ${after - before} bytes`);
}

test('a peer that does not read stops the agent that writes', { timeout: 60_000 }, async (context) => {
  const sources: { readonly source: Source; readonly response: ServerResponse }[] = [];
  const agent = await startHttpAgent(context, (request, response) => {
    if (request.url !== '/download') {
      response.end('plain');
      return;
    }
    const source = new Source((chunk) => response.write(chunk));
    response.on('drain', () => source.pump());
    sources.push({ source, response });
    source.pump();
  });
  const system = await startSystem(context, { upstream: `http://127.0.0.1:${agent.port}`, policy: ALLOW_ALL });
  const bystander = await connectHttp1(context, system);
  await get(bystander, '/warm');

  await context.test('over HTTP/1.1', async (context) => {
    const before = await peakOf(system);
    const peer = await connectHttp1(context, system);
    peer.socket.pause();
    peer.send('GET /download HTTP/1.1\r\nHost: agent.test\r\n\r\n');
    const { source, response } = await until('the request', () => sources.shift());
    await untilStuck(source);
    assert.ok(source.written < FAR_MORE, 'the agent is stopped');
    await report(context, system, source, before);
    assert.equal((await get(bystander, '/')).body, 'plain', 'others are served');
    const stopped = source.written;
    const drained = once(response, 'drain');
    peer.socket.resume();
    await drained;
    await until('the flow to go on', () => source.written > stopped);
  });

  await context.test('over HTTP/2', async (context) => {
    const before = await peakOf(system);
    const session = await connectHttp2(context, system);
    const stream = ask(session, { ':path': '/download' });
    stream.pause();
    const { source } = await until('the request', () => sources.shift());
    await untilStuck(source);
    assert.ok(source.written < FAR_MORE, 'the agent is stopped');
    await report(context, system, source, before);
    const other = ask(session, { ':path': '/' });
    other.setEncoding('utf8');
    assert.deepEqual(await once(other, 'data'), ['plain'], 'other streams of the same connection are served');
    const stopped = source.written;
    stream.resume();
    await until('the flow to go on', () => source.written > stopped);
  });
});

test('an agent that does not read stops the peer that writes', { timeout: 60_000 }, async (context) => {
  const uploads: IncomingMessage[] = [];
  const agent = await startHttpAgent(context, (request, response) => {
    if (request.url === '/upload') uploads.push(request.pause());
    else response.end('plain');
  });
  const system = await startSystem(context, { upstream: `http://127.0.0.1:${agent.port}`, policy: ALLOW_ALL });
  const bystander = await connectHttp1(context, system);
  await get(bystander, '/warm');

  const goesOn = async (source: Source): Promise<void> => {
    const stopped = source.written;
    const upload = await until('the upload', () => uploads.shift());
    upload.resume();
    await until('the flow to go on', () => source.written > stopped);
  };

  await context.test('over HTTP/1.1', async (context) => {
    const before = await peakOf(system);
    const peer = await connectHttp1(context, system);
    peer.send(`POST /upload HTTP/1.1\r\nHost: agent.test\r\nContent-Length: ${FAR_MORE}\r\n\r\n`);
    const source = new Source((chunk) => peer.socket.write(chunk));
    peer.socket.on('drain', () => source.pump());
    source.pump();
    await untilStuck(source);
    assert.ok(source.written < FAR_MORE, 'the peer is stopped');
    await report(context, system, source, before);
    assert.equal((await get(bystander, '/')).body, 'plain', 'others are served');
    await goesOn(source);
  });

  await context.test('over HTTP/2', async (context) => {
    const before = await peakOf(system);
    const session = await connectHttp2(context, system);
    const stream = ask(session, { ':method': 'POST', ':path': '/upload' }, false);
    const source = new Source((chunk) => stream.write(chunk));
    stream.on('drain', () => source.pump());
    source.pump();
    await untilStuck(source);
    assert.ok(source.written < FAR_MORE, 'the peer is stopped');
    await report(context, system, source, before);
    const other = ask(session, { ':path': '/' });
    other.setEncoding('utf8');
    assert.deepEqual(await once(other, 'data'), ['plain'], 'other streams of the same connection are served');
    await goesOn(source);
  });
});
