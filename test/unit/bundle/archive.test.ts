import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';

import fc from 'fast-check';

import { readBundle } from '../../../src/core/bundle/bundle.ts';
import { gunzip, gzip } from '../../../src/core/bundle/gzip.ts';
import { DEFAULT_BUNDLE_LIMITS } from '../../../src/core/bundle/limits.ts';
import { readTar } from '../../../src/core/bundle/tar-reader.ts';
import { writeTar } from '../../../src/core/bundle/tar-writer.ts';
import { manifestJson, writeBundle } from '../../../src/core/bundle/write-bundle.ts';

function codeOf(archive: Uint8Array, limits = DEFAULT_BUNDLE_LIMITS): string {
  const bundle = readBundle(archive, { limits });
  return bundle.ok ? 'read' : bundle.error.code;
}

const WASM = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

test('a bundle that was written is read back, every part of it', () => {
  const archive = writeBundle({
    manifestJson: manifestJson('r1', ['a/allow', 'system/log/mask']),
    policyWasm: WASM,
    planJson: '{"policy":{}}',
    dataJson: '{"roles":{"alice":["admin"]}}',
    files: new Map([['policy.rego', Buffer.from('package a')]]),
  });
  const bundle = readBundle(archive);
  assert.ok(bundle.ok);
  const { revision, manifest, module, planJson, dataJson, rego } = bundle.value;
  assert.equal(revision, 'r1');
  assert.deepEqual(manifest.roots, ['']);
  assert.deepEqual(module, {
    path: 'policy.wasm',
    bytes: Buffer.from(WASM),
    entrypoints: ['a/allow', 'system/log/mask'],
  });
  assert.equal(planJson, '{"policy":{}}', 'the plan is believed, because the manifest ties it to the module');
  assert.equal(dataJson, '{"roles":{"alice":["admin"]}}');
  assert.deepEqual([...rego.keys()], ['policy.rego']);
});

function write(entries: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  return writeBundle({ manifestJson: manifestJson(undefined, []), files: new Map(entries) });
}

test('the same parts are the same bytes, in whatever order they come', () => {
  const files = [
    ['a.rego', Buffer.from('package a')],
    ['b.rego', Buffer.from('package b')],
  ] as const;
  assert.deepEqual(write(files), write(files.toReversed()));
});

test('names are written as OPA writes them', () => {
  const tar = gunzipSync(writeBundle({ manifestJson: '{}', policyWasm: WASM }));
  assert.deepEqual([tar.toString('latin1', 0, 11), tar.toString('latin1', 1024, 1034)], ['/.manifest\0', '/data.json']);
});

test('a decompression bomb stops at the bound', () => {
  const limits = { ...DEFAULT_BUNDLE_LIMITS, totalBytes: 100_000 };
  assert.equal(codeOf(gzipSync(Buffer.alloc(10_000_000)), limits), 'too_large');
});

test('an archive larger than allowed is not even decompressed', () => {
  assert.equal(codeOf(new Uint8Array(101), { ...DEFAULT_BUNDLE_LIMITS, archiveBytes: 100 }), 'too_large');
});

/** The CRC-32 before the last four bytes zeroed. */
function withoutChecksum(archive: Uint8Array): Uint8Array {
  return Uint8Array.from(archive).fill(0, archive.length - 8, archive.length - 4);
}

const DAMAGED: Readonly<Record<string, Uint8Array>> = {
  nothing: new Uint8Array(0),
  'a tar archive that is not compressed': writeTar(new Map([['a', WASM]])),
  'a stream cut off': writeBundle({ manifestJson: '{}' }).subarray(0, -9),
  'bytes after the stream': Buffer.concat([writeBundle({ manifestJson: '{}' }), Buffer.from('more')]),
  'bytes behind a zero, where Node ends reading': Buffer.concat([
    writeBundle({ manifestJson: '{}' }),
    Buffer.from('\0more'),
  ]),
  'a second archive behind zeros, which other readers find': Buffer.concat([
    writeBundle({ manifestJson: '{}' }),
    Buffer.alloc(3),
    writeBundle({ manifestJson: '{"revision":"other"}' }),
  ]),
  'a wrong checksum (RFC 1952 2.3.1)': withoutChecksum(writeBundle({ manifestJson: '{}' })),
};
for (const [what, archive] of Object.entries(DAMAGED)) {
  test(`${what}: refused as no gzip`, () => assert.equal(codeOf(archive), 'gzip_malformed'));
}

test('zeros behind the stream are padding, and a stream in two members is one', () => {
  const archive = writeBundle({ manifestJson: '{}' });
  assert.equal(codeOf(Buffer.concat([archive, Buffer.alloc(1_000)])), 'read');
  const tar = gunzipSync(archive);
  assert.equal(codeOf(Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))])), 'read');
});

test('property: random bytes, compressed or not, are refused and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3_000 }), (bytes) => {
      assert.equal(codeOf(bytes), 'gzip_malformed');
      assert.notEqual(codeOf(gzipSync(bytes)), 'read');
    }),
  );
});

test('property: a bundle with one byte changed never throws', () => {
  const sound = writeBundle({ manifestJson: manifestJson('r', ['a/b']), policyWasm: WASM });
  fc.assert(
    fc.property(fc.nat(sound.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      assert.equal(typeof codeOf(sound.with(at, byte)), 'string');
    }),
  );
});

const segment = fc.string({ unit: fc.constantFrom('a', 'b', '.', '-', 'ü', '日', ' '), minLength: 1, maxLength: 40 });
const path = fc
  .array(
    segment.filter((text) => text !== '.' && text !== '..'),
    { minLength: 1, maxLength: 8 },
  )
  .map((segments) => segments.join('/'));

function shown(map: ReadonlyMap<string, Uint8Array>): readonly string[] {
  return Array.from(map, ([name, bytes]) => `${name}:${Buffer.from(bytes).toString('hex')}`).sort();
}

test('property: whatever files are written are the files that are read, long and foreign names too', () => {
  fc.assert(
    fc.property(fc.dictionary(path, fc.uint8Array({ maxLength: 1_100 })), (entries) => {
      const files = new Map(Object.entries(entries));
      const read = readTar(writeTar(files), DEFAULT_BUNDLE_LIMITS);
      assert.ok(read.ok, read.ok ? '' : read.error.detail);
      assert.deepEqual(shown(read.value), shown(files));
    }),
  );
});

test('RFC 1952 2.3.1: compressed bytes name neither time nor system', () => {
  const header = gzip(Buffer.from('x'));
  assert.deepEqual([...header.subarray(4, 8), header[9]], [0, 0, 0, 0, 255]);
  assert.deepEqual(gunzip(header, 10), { ok: true, value: Buffer.from('x') });
});
