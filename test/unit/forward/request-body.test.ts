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
  const body = new RequestBodyStream(stream, 1_000, { progressed: () => (progressed += 1), requestBroken: () => {} });
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
