import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import fc from 'fast-check';

import { encodeUpload, UploadSize } from '../../../src/io/journal/upload.ts';

test('property: lines become one JSON array, byte for byte', async () => {
  const lines = fc.array(
    fc.jsonValue().map((value) => JSON.stringify(value)),
    { maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(lines, async (texts) => {
      const body = await new Promise<Uint8Array>((resolve) =>
        encodeUpload(
          texts.map((text) => Buffer.from(text)),
          resolve,
        ),
      );
      assert.equal(gunzipSync(body).toString(), `[${texts.join(',')}]`);
    }),
    { numRuns: 50 },
  );
});

test('property: a guess is at least one line and never more than there are; a guess that was too large is followed by a smaller one', () => {
  const steps = fc.array(
    fc.record({
      lines: fc.array(fc.nat(50_000), { minLength: 1, maxLength: 50 }),
      ratio: fc.double({ min: 0.001, max: 2, noNaN: true }),
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), steps, (maxBytes, script) => {
      const size = new UploadSize(maxBytes);
      for (const { lines, ratio } of script) {
        const count = size.take(lines.map((length) => ({ length })));
        assert.ok(count >= 1 && count <= lines.length);
        const bytes = lines.slice(0, count).reduce((sum, length) => sum + length, 0);
        const next = size.learn(count, bytes, Math.ceil(bytes * ratio));
        assert.ok(next >= 1 && next <= count);
        if (Math.ceil(bytes * ratio) > maxBytes && count > 1) assert.ok(next < count);
      }
    }),
  );
});

test('what compresses well fills more lines into the next upload, what does not fewer', () => {
  const lines = Array.from({ length: 1_000 }, () => ({ length: 1_000 }));
  const size = new UploadSize(100_000);
  assert.equal(size.take(lines), 450);
  size.learn(450, 450_000, 45_000);
  assert.equal(size.take(lines), 900);
  size.learn(900, 900_000, 900_000);
  assert.equal(size.take(lines), 90);
  size.lower(50_000);
  assert.equal(size.maxBytes, 25_000);
});

test('after 413 the bound grows by a tenth with each upload that is taken, to what was configured and no further', () => {
  const size = new UploadSize(100_000);
  size.grow();
  assert.equal(size.maxBytes, 100_000);
  size.lower(100_000);
  const bounds = Array.from({ length: 9 }, () => {
    size.grow();
    return size.maxBytes;
  });
  assert.deepEqual(bounds, [55_000, 60_500, 66_550, 73_205, 80_526, 88_579, 97_437, 100_000, 100_000]);
});

test('property: however uploads are answered, the bound stays between one byte and what was configured, and comes back to it', () => {
  const answers = fc.array(fc.oneof(fc.constant(undefined), fc.nat(200_000)), { maxLength: 40 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100_000 }), answers, (maxBytes, script) => {
      const size = new UploadSize(maxBytes);
      for (const refused of script) {
        if (refused === undefined) size.grow();
        else size.lower(refused);
        assert.ok(size.maxBytes >= 1 && size.maxBytes <= maxBytes);
      }
      for (let taken = 0; taken < 150; taken += 1) size.grow();
      assert.equal(size.maxBytes, maxBytes);
    }),
  );
});
