import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';

import fc from 'fast-check';

import type { CollectedBody, Enough } from '../../../src/core/gate/exchange.ts';
import { fault, type Fault } from '../../../src/core/model/faults.ts';
import { BodyCollector } from '../../../src/io/listen/body-collector.ts';
import { readAll } from './harness.ts';

function source(chunks: readonly Uint8Array[]): Readable {
  return Readable.from(chunks, { objectMode: false });
}

function collect(stream: Readable, limit: number, enough?: Enough): Promise<CollectedBody | Fault> {
  return new Promise((resolve) => new BodyCollector(stream, limit, enough, resolve));
}

async function collectBytes(stream: Readable, limit: number, enough?: Enough): Promise<CollectedBody> {
  const collected = await collect(stream, limit, enough);
  assert.ok('complete' in collected);
  return collected;
}

const chunked = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 30 });

test('any body, in any pieces: at most `limit` bytes are collected, all of them are still there afterwards', async () => {
  await fc.assert(
    fc.asyncProperty(chunked, fc.integer({ min: 1, max: 400 }), async (chunks, limit) => {
      const whole = Buffer.concat(chunks);
      const stream = source(chunks);
      const { bytes, complete } = await collectBytes(stream, limit);
      assert.equal(complete, whole.length <= limit);
      assert.deepEqual(Buffer.from(bytes), whole.subarray(0, limit));
      if (!complete) assert.equal(await readAll(stream), whole.toString('latin1'));
    }),
    { numRuns: 200 },
  );
});

test('`enough` is asked with growing bytes and never more often than it promised', async () => {
  await fc.assert(
    fc.asyncProperty(chunked, fc.array(fc.integer({ min: 1, max: 200 })), async (chunks, steps) => {
      const whole = Buffer.concat(chunks);
      let wanted = 0;
      const answers = [...steps];
      const enough: Enough = (soFar) => {
        assert.ok(soFar.length >= wanted, 'asked only when what was wanted is there');
        const next = answers.shift();
        if (next === undefined) return undefined;
        wanted = Math.max(wanted, next);
        return wanted;
      };
      const stream = source(chunks);
      const { bytes, complete } = await collectBytes(stream, 100_000, enough);
      if (complete) assert.deepEqual(Buffer.from(bytes), whole);
      else assert.equal(await readAll(stream), whole.toString('latin1'));
    }),
    { numRuns: 200 },
  );
});

test('enough at once, later, and never', async () => {
  const parts = [Buffer.from('ab'), Buffer.from('cd'), Buffer.from('ef')];
  assert.deepEqual(await collectBytes(source(parts), 100, () => 1), { bytes: Buffer.from('ab'), complete: false });
  assert.deepEqual(await collectBytes(source(parts), 100, (soFar) => (soFar.length < 2 ? 2 : 4)), {
    bytes: Buffer.from('abcd'),
    complete: false,
  });
  assert.deepEqual(await collectBytes(source(parts), 100, () => undefined), {
    bytes: Buffer.from('abcdef'),
    complete: true,
  });
});

test('a body of exactly the limit is complete', async () => {
  assert.equal((await collectBytes(source([Buffer.alloc(8)]), 8)).complete, true);
  assert.equal((await collectBytes(source([Buffer.alloc(9)]), 8)).complete, false);
});

test('an empty body is complete', async () => {
  assert.deepEqual(await collectBytes(source([]), 8), { bytes: Buffer.alloc(0), complete: true });
});

test('failing tells the fault once, whatever comes after', async () => {
  const stream = new Readable({ read: () => undefined });
  const told: (CollectedBody | Fault)[] = [];
  const collector = new BodyCollector(stream, 8, undefined, (result) => told.push(result));
  stream.push('ab');
  collector.fail(fault('request_timeout', ''));
  collector.fail(fault('peer_aborted', ''));
  stream.push(null);
  stream.resume();
  await new Promise((resolve) => stream.on('end', resolve));
  assert.deepEqual(told, [fault('request_timeout', '')]);
});

test('what was collected does not keep the read buffers of the chunks alive', async () => {
  const pool = Buffer.alloc(65_536, 1);
  const chunks = Array.from({ length: 100 }, (_, i) => pool.subarray(i, i + 1));
  const { bytes } = await collectBytes(source(chunks), 1_000);
  assert.notEqual(bytes.buffer, pool.buffer);
  assert.ok(bytes.buffer.byteLength <= 8_192);
});
