import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FlushQueue } from '../../../src/io/forward/flush-queue.ts';
import { BodySource, type BodySink, RequestBodyStream, wasReset } from '../../../src/io/forward/request-body.ts';
import { bodyToFeed } from '../../support/fake-downstream.ts';

class Sink implements BodySink {
  readonly calls: string[] = [];

  bodyData(chunk: Uint8Array): void {
    this.calls.push(Buffer.from(chunk).toString());
  }

  bodyEnded(): void {
    this.calls.push('(end)');
  }

  bodyBroken(): void {
    this.calls.push('(broken)');
  }
}

const WATCHER = { progressed: () => {}, requestBroken: () => {} };

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a body is not read before it is wanted', async () => {
  const stream = bodyToFeed();
  const sink = new Sink();
  const source = new BodySource(stream, sink);
  stream.push(Buffer.from('a'));
  await turn();
  assert.deepEqual(sink.calls, []);
  source.resume();
  await turn();
  assert.deepEqual(sink.calls, ['a']);
});

test('the end is told once, after all data', async () => {
  const stream = bodyToFeed();
  const sink = new Sink();
  new BodySource(stream, sink).resume();
  stream.push(Buffer.from('a'));
  stream.push(null);
  await turn();
  await turn();
  assert.deepEqual(sink.calls, ['a', '(end)']);
});

const BREAKS: readonly [string, (stream: ReturnType<typeof bodyToFeed>) => void][] = [
  ['destroyed', (stream) => void stream.destroy()],
  ['destroyed with an error', (stream) => void stream.destroy(new Error('gone'))],
  ['reset, and says that it ended', (stream) => void Object.assign(stream, { aborted: true }).push(null)],
];

for (const [name, breakOff] of BREAKS) {
  test(`a body that is ${name} is broken, once, and never ended`, async () => {
    const stream = bodyToFeed();
    const sink = new Sink();
    new BodySource(stream, sink).resume();
    stream.push(Buffer.from('a'));
    await turn();
    breakOff(stream);
    await turn();
    await turn();
    assert.deepEqual(sink.calls, ['a', '(broken)']);
  });
}

test('a body that broke before it was wanted is broken', async () => {
  const stream = bodyToFeed();
  stream.on('error', () => {});
  stream.destroy(new Error('gone'));
  await turn();
  const sink = new Sink();
  new BodySource(stream, sink).resume();
  assert.deepEqual(sink.calls, ['(broken)']);
});

test('a body that had ended before it was wanted is ended', async () => {
  const stream = bodyToFeed();
  stream.push(null);
  stream.resume();
  await turn();
  const sink = new Sink();
  new BodySource(stream, sink).resume();
  assert.deepEqual(sink.calls, ['(end)']);
});

test('after release nothing is told, the source is paused, and its errors end nothing', async () => {
  const stream = bodyToFeed();
  const sink = new Sink();
  const source = new BodySource(stream, sink);
  source.resume();
  source.release();
  stream.push(Buffer.from('late'));
  await turn();
  assert.equal(stream.isPaused(), true);
  stream.destroy(new Error('late'));
  await turn();
  source.resume();
  assert.deepEqual(sink.calls, []);
});

test('pause and resume reach the source', async () => {
  const stream = bodyToFeed();
  const sink = new Sink();
  const source = new BodySource(stream, sink);
  source.resume();
  source.pause();
  stream.push(Buffer.from('a'));
  await turn();
  assert.deepEqual(sink.calls, []);
  source.resume();
  await turn();
  assert.deepEqual(sink.calls, ['a']);
});

test('destroying what undici was given leaves the listener’s stream alone', async () => {
  const stream = bodyToFeed();
  let progressed = 0;
  const body = new RequestBodyStream(stream, 1_000, new FlushQueue(), {
    progressed: () => (progressed += 1),
    requestBroken: () => {},
  });
  body.on('data', () => {});
  stream.push(Buffer.from('a'));
  await turn();
  body.destroy();
  await turn();
  assert.equal(progressed, 1);
  assert.equal(stream.destroyed, false);
  assert.equal(stream.isPaused(), true);
  assert.equal(stream.listenerCount('data'), 0);
});

/** What undici is given of these pieces, which all come in one turn of the event loop. */
async function passedOn(pieces: readonly Buffer[]): Promise<readonly Buffer[]> {
  const stream = bodyToFeed();
  const passed: Buffer[] = [];
  const body = new RequestBodyStream(stream, 1_000_000, new FlushQueue(), WATCHER);
  body.on('data', (chunk: Buffer) => passed.push(chunk));
  await turn();
  for (const piece of pieces) stream.push(piece);
  stream.push(null);
  if (!body.readableEnded) await new Promise((resolve) => body.once('end', resolve));
  return passed;
}

test('small pieces of one turn are passed on as one, no more than 16 KiB at a time', async () => {
  const [only, ...more] = await passedOn(Array.from({ length: 1_000 }, (_, i) => Buffer.from([i & 255])));
  assert.deepEqual(only, Buffer.from(Array.from({ length: 1_000 }, (_, i) => i & 255)));
  assert.deepEqual(more, []);
  const sizes = (await passedOn(Array.from({ length: 50 }, () => Buffer.alloc(1_000)))).map(({ length }) => length);
  assert.deepEqual(sizes, [17_000, 17_000, 16_000]);
});

test('large pieces are passed on as they come, in order with small ones', async () => {
  const [a, b, c, d] = ['a', 'b'.repeat(4_096), 'c', 'd'.repeat(1_024)].map((text) => Buffer.from(text));
  assert.ok(a && b && c && d);
  assert.deepEqual(await passedOn([b, d]), [b, d]);
  assert.deepEqual(Buffer.concat(await passedOn([a, b, c, d])), Buffer.concat([a, b, c, d]));
});

test('a small piece goes out with the end of its turn, whether more comes or not', async () => {
  const stream = bodyToFeed();
  const passed: string[] = [];
  const body = new RequestBodyStream(stream, 1_000, new FlushQueue(), WATCHER);
  body.on('data', (chunk: Buffer) => passed.push(chunk.toString()));
  await turn();
  stream.push(Buffer.from('a'));
  await turn();
  await turn();
  assert.deepEqual(passed, ['a']);
  stream.push(Buffer.from('b'));
  await turn();
  await turn();
  assert.deepEqual(passed, ['a', 'b']);
});

test('what was gathered of a body that broke off, or that is not wanted any more, goes nowhere', async () => {
  const stream = bodyToFeed();
  const body = new RequestBodyStream(stream, 1_000, new FlushQueue(), WATCHER);
  const passed: Buffer[] = [];
  body.on('data', (chunk: Buffer) => passed.push(chunk));
  await turn();
  stream.push(Buffer.from('a'));
  body.destroy();
  await turn();
  assert.deepEqual(passed, []);
});

test('wasReset: only what says so', () => {
  const stream = bodyToFeed();
  assert.equal(wasReset(stream), false);
  assert.equal(wasReset(Object.assign(stream, { aborted: false })), false);
  assert.equal(wasReset(Object.assign(stream, { aborted: true })), true);
});

test('the flush queue runs once at the end of the loop turn, in order, and takes what is added meanwhile in the next', async () => {
  const queue = new FlushQueue();
  const order: string[] = [];
  queue.add({
    flush: () => {
      order.push('a');
      queue.add({ flush: () => order.push('c') });
    },
  });
  queue.add({ flush: () => order.push('b') });
  await Promise.resolve();
  assert.deepEqual(order, []);
  await turn();
  assert.deepEqual(order, ['a', 'b']);
  await turn();
  assert.deepEqual(order, ['a', 'b', 'c']);
});
