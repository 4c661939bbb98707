import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { gatherBytes } from '../../../src/core/kernel/gather-bytes.ts';

/** Pieces out of one buffer that is written over for each: who only keeps them has the last one many times. */
async function* reused(texts: readonly string[]): AsyncIterable<Uint8Array> {
  const buffer = Buffer.alloc(64);
  for (const text of texts) yield buffer.subarray(0, await Promise.resolve(buffer.write(text)));
}

test('pieces are copied as they come, so that a body sent byte by byte costs no more than its bytes', async () => {
  const texts = Array.from({ length: 1_000 }, (_, index) => String.fromCharCode(97 + (index % 26)));
  const bytes = await gatherBytes(reused(texts), 1_000);
  assert.equal(Buffer.from(bytes ?? []).toString(), texts.join(''));
  assert.equal(bytes?.buffer.byteLength, 1_000, 'nothing is held beyond them');
});

test('more than the bound is nothing, and the rest is not read', async () => {
  let read = 0;
  async function* endless(): AsyncIterable<Uint8Array> {
    for (;;) {
      read += 1;
      yield await Promise.resolve(new Uint8Array(10));
    }
  }
  assert.equal(await gatherBytes(endless(), 95), undefined);
  assert.equal(read, 10);
});

test('property: what was sent is what is gathered, up to the bound', async () => {
  const pieces = fc.array(fc.string({ maxLength: 20 }).map((text) => text.replaceAll(/[^ -~]/g, 'x')));
  await fc.assert(
    fc.asyncProperty(pieces, fc.nat(200), async (texts, maxBytes) => {
      const whole = texts.join('');
      const bytes = await gatherBytes(reused(texts), maxBytes);
      assert.equal(bytes && Buffer.from(bytes).toString(), whole.length > maxBytes ? undefined : whole);
    }),
  );
});
