import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { writeArchive, type ArchivedImage } from '../../../helm/image/archive.ts';
import { complete, fileOf, text } from '../../../helm/image/entry.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const CONFIG = {
  user: '61337:61337',
  entrypoint: ['/usr/bin/node', '/app/main.js'],
  command: ['--help'],
  env: ['PATH=/usr/bin'],
  labels: { 'org.opencontainers.image.title': 'thing' },
} as const;

type Descriptor = { readonly digest: string; readonly size: number; readonly mediaType: string };

async function layersIn(folder: string): Promise<ArchivedImage['layers']> {
  await writeFile(join(folder, 'node'), 'a program');
  return [
    { name: 'system', entries: complete([fileOf('/usr/bin/node', join(folder, 'node'), 0o755)]) },
    { name: 'product', entries: complete([text('/app/main.js', 'main')]) },
  ];
}

/** Writes an archive and unpacks it; `read` reads its JSON members. */
async function written(
  context: TestContext,
  { tag = 'thing:1', gzip = false }: { readonly tag?: string; readonly gzip?: boolean } = {},
) {
  const folder = await tempFolder(context);
  const out = join(folder, 'image.tar');
  const layers = await layersIn(folder);
  const [digest] = writeArchive(out, [{ layers, config: CONFIG, tag }], { work: folder, gzip });
  await mkdir(join(folder, 'layout'));
  execFileSync('tar', ['-xf', out, '-C', join(folder, 'layout')]);
  const bytes = (path: string): Promise<Buffer> => readFile(join(folder, 'layout', path));
  const blob = ({ digest }: Descriptor): Promise<Buffer> => bytes(`blobs/${digest.replace(':', '/')}`);
  return { digest, bytes, blob, whole: await readFile(out) };
}

describe('an archive of an image', () => {
  test('image-spec 1.1, image layout: index, manifest, configuration and layers lead to each other by digest and size', async (context) => {
    const { digest, bytes, blob } = await written(context);
    assert.deepEqual(JSON.parse(String(await bytes('oci-layout'))), { imageLayoutVersion: '1.0.0' });
    const index = JSON.parse(String(await bytes('index.json'))) as { manifests: [Descriptor] };
    assert.equal(index.manifests[0]?.digest, digest);
    const manifest = JSON.parse(String(await blob(index.manifests[0]))) as { config: Descriptor; layers: Descriptor[] };
    const parts = [index.manifests[0], manifest.config, ...manifest.layers];
    assert.equal(parts.length, 4);
    for (const part of parts) {
      const content = await blob(part);
      assert.equal(part.digest, sha256(content));
      assert.equal(part.size, content.length);
    }
  });

  test('image-spec 1.1, configuration: user, entry point, labels and the digests of the layers unpacked', async (context) => {
    for (const gzip of [false, true]) {
      const { bytes, blob } = await written(context, { gzip });
      const index = JSON.parse(String(await bytes('index.json'))) as { manifests: [Descriptor] };
      const manifest = JSON.parse(String(await blob(index.manifests[0]))) as {
        config: Descriptor;
        layers: Descriptor[];
      };
      const { config, rootfs, os } = JSON.parse(String(await blob(manifest.config)));
      assert.equal(os, 'linux');
      assert.partialDeepStrictEqual(config, {
        User: '61337:61337',
        Entrypoint: CONFIG.entrypoint,
        Cmd: ['--help'],
        Env: ['PATH=/usr/bin'],
        Labels: CONFIG.labels,
      });
      const layers = await Promise.all(manifest.layers.map(blob));
      assert.deepEqual(
        rootfs.diff_ids,
        layers.map((layer) => sha256(gzip ? gunzipSync(layer) : layer)),
      );
      const types = manifest.layers.map(({ mediaType }) => mediaType);
      assert.ok(
        types.every((type) => type.endsWith(gzip ? '.tar+gzip' : '.tar')),
        String(types),
      );
    }
  });

  test('Docker finds its own manifest, with the tag and paths that are there', async (context) => {
    const { bytes } = await written(context, { tag: 'registry.invalid/team/thing:2' });
    const [image] = JSON.parse(String(await bytes('manifest.json'))) as [
      { Config: string; RepoTags: string[]; Layers: string[] },
    ];
    assert.deepEqual(image.RepoTags, ['registry.invalid/team/thing:2']);
    for (const path of [image.Config, ...image.Layers]) assert.ok((await bytes(path)).length > 0, path);
  });

  test('containerd names it in full', async (context) => {
    const nameOf = async (tag: string): Promise<unknown> => {
      const { bytes } = await written(context, { tag });
      return JSON.parse(String(await bytes('index.json'))).manifests[0].annotations['io.containerd.image.name'];
    };
    assert.equal(await nameOf('thing:1'), 'docker.io/library/thing:1');
    assert.equal(await nameOf('registry.invalid/thing:1'), 'registry.invalid/thing:1');
  });

  test('the same contents are the same bytes', async (context) => {
    const [one, other] = [await written(context), await written(context)];
    assert.ok(one.whole.equals(other.whole));
  });

  test('images share the layers that are the same', async (context) => {
    const folder = await tempFolder(context);
    const layers = await layersIn(folder);
    const [system] = layers;
    const images = [layers, [system!]].map((each, at) => ({ layers: each, config: CONFIG, tag: `thing:${at}` }));
    const digests = writeArchive(join(folder, 'image.tar'), images, { work: folder });
    execFileSync('tar', ['-xf', 'image.tar'], { cwd: folder });
    const listed = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as { Layers: string[] }[];
    assert.equal(listed[1]?.Layers[0], listed[0]?.Layers[0]);
    const { manifests } = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
    assert.deepEqual(
      manifests.map(({ digest }) => digest),
      digests,
    );
    assert.equal(new Set(digests).size, 2);
    // Two layers, two configurations, two manifests.
    assert.equal((await readdir(join(folder, 'blobs/sha256'))).length, 6);
  });

  test('nothing of the work is left', async (context) => {
    const folder = await tempFolder(context);
    const work = join(folder, 'work');
    await mkdir(work);
    const image = { layers: await layersIn(folder), config: CONFIG, tag: 'thing:1' };
    writeArchive(join(folder, 'image.tar'), [image], { work });
    assert.equal(execFileSync('ls', [work], { encoding: 'utf8' }), '');
  });
});

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
