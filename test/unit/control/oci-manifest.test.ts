import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { readManifest } from '../../../src/io/control/oci-manifest.ts';

const OCI = 'application/vnd.oci.image.manifest.v1+json';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const TAR = 'application/vnd.oci.image.layer.v1.tar+gzip';
const DOCKER_TAR = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

const layer = { mediaType: TAR, digest: `sha256:${'a'.repeat(64)}`, size: 7 };
const image = { mediaType: OCI, digest: `sha256:${'b'.repeat(64)}`, size: 8 };
const attestation = { ...image, platform: { os: 'unknown', architecture: 'unknown' } };

function read(document: unknown, contentType?: string) {
  return readManifest(new TextEncoder().encode(JSON.stringify(document)), contentType);
}

function refused(document: unknown, contentType?: string): string {
  const result = read(document, contentType);
  assert.ok(!result.ok, JSON.stringify(result));
  return result.error;
}

describe('OCI Image Format 1.1, "Image Manifest": the one layer that is a bundle', () => {
  const bundle = { ok: true, value: { kind: 'bundle', layer } };

  test('as oras and policy push it, and as Docker writes it', () => {
    assert.deepEqual(read({ schemaVersion: 2, mediaType: OCI, config: {}, layers: [layer] }, OCI), bundle);
    assert.deepEqual(read({ schemaVersion: 2, layers: [layer] }, `${OCI}; charset=utf-8`), bundle);
    const docker = { ...layer, mediaType: DOCKER_TAR };
    assert.deepEqual(read({ schemaVersion: 2, mediaType: DOCKER, layers: [docker] }, DOCKER), {
      ok: true,
      value: { kind: 'bundle', layer: docker },
    });
  });

  test('layers of other types stand beside it; where it says to get it from is not heard', () => {
    const others = [{ mediaType: 'text/markdown' }, { ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar' }];
    const elsewhere = { ...layer, urls: ['https://elsewhere.example/'], data: 'AAAA', annotations: { a: 'b' } };
    assert.deepEqual(read({ schemaVersion: 2, mediaType: OCI, layers: [...others, elsewhere] }), bundle);
  });

  const REFUSED: readonly (readonly [title: string, document: unknown, type: string | undefined, said: RegExp])[] = [
    ['none', { schemaVersion: 2, mediaType: OCI, layers: [] }, OCI, /has no layer of type/],
    ['two', { schemaVersion: 2, mediaType: OCI, layers: [layer, layer] }, OCI, /has 2 layers of type/],
    ['another type', { schemaVersion: 2, mediaType: OCI, layers: [{ ...layer, mediaType: 'x' }] }, OCI, /no layer/],
    ['no digest', { schemaVersion: 2, mediaType: OCI, layers: [{ ...layer, digest: 'sha256:A' }] }, OCI, /sha256/],
    ['a path as digest', { schemaVersion: 2, mediaType: OCI, layers: [{ ...layer, digest: '../x' }] }, OCI, /sha256/],
    ['no size', { schemaVersion: 2, mediaType: OCI, layers: [{ ...layer, size: -1 }] }, OCI, /and a size/],
    ['schema 1', { schemaVersion: 1, fsLayers: [] }, undefined, /none of schema version 2/],
    ['no type at all', { schemaVersion: 2, layers: [layer] }, undefined, /no image manifest/],
    ['a type of its own', { schemaVersion: 2, mediaType: 'x', layers: [layer] }, 'x', /no image manifest/],
    ['type and content differ', { schemaVersion: 2, layers: [layer] }, INDEX, /no image manifest/],
    ['two types', { schemaVersion: 2, mediaType: OCI, layers: [layer] }, INDEX, /another media type/],
    ['both', { schemaVersion: 2, mediaType: OCI, layers: [layer], manifests: [image] }, OCI, /and that it is an index/],
    [
      'too many layers',
      { schemaVersion: 2, mediaType: OCI, layers: Array.from({ length: 257 }, () => layer) },
      OCI,
      /none of schema/,
    ],
    ['a text', 'x', OCI, /none of schema/],
    ['null', null, OCI, /none of schema/],
  ];
  for (const [title, document, type, said] of REFUSED) {
    test(title, () => assert.match(refused(document, type), said));
  }
});

function index(manifests: readonly unknown[], mediaType = INDEX) {
  return { schemaVersion: 2, mediaType, manifests };
}

describe('OCI Image Format 1.1, "Image Index": its one image', () => {
  test('of an index and of a list of Docker, attestations aside', () => {
    for (const type of [INDEX, LIST]) {
      assert.deepEqual(read(index([attestation, { ...image, platform: { os: 'linux' } }], type), type), {
        ok: true,
        value: { kind: 'index', manifest: image },
      });
    }
  });

  test('none, several, or another index', () => {
    assert.match(refused(index([attestation])), /names 0 images/);
    assert.match(refused(index([image, image])), /names 2 images: a policy has no platforms/);
    assert.match(refused(index([{ ...image, mediaType: INDEX }])), /something else than an image manifest/);
    assert.match(refused(index([{ ...image, digest: '/' }])), /each of its images/);
  });
});

test('no JSON, no UTF-8', () => {
  for (const bytes of [new Uint8Array(0), Uint8Array.of(0xff), new TextEncoder().encode('{"schemaVersion": 2')]) {
    assert.deepEqual(readManifest(bytes, OCI).ok, false);
  }
});

test('property: no document throws, and what is read has a digest that can stand in a path', () => {
  const type = fc.constantFrom(OCI, DOCKER, INDEX, LIST, 'x');
  const item = fc.oneof(fc.constantFrom(layer, image, attestation, { ...layer, digest: '..' }), fc.jsonValue());
  const document = fc.oneof(
    fc.record(
      { schemaVersion: fc.constantFrom(1, 2), mediaType: type, layers: fc.array(item), manifests: fc.array(item) },
      { requiredKeys: ['schemaVersion'] },
    ),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(document, fc.option(type, { nil: undefined }), (value, contentType) => {
      const result = read(value, contentType);
      if (!result.ok) return;
      const { digest } = result.value.kind === 'bundle' ? result.value.layer : result.value.manifest;
      assert.match(digest, /^sha256:[0-9a-f]{64}$/);
    }),
  );
});
