import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { writeArchive } from './archive.ts';
import { imageLabels, imageLayers, makeProduct, RUN } from './contents.ts';
import { sizeOf } from './tar.ts';
import { writeTree } from './tree.ts';

import type { ImageLayer } from './entry.ts';

/** `npm run image`: the container image, from what npm installed, without Docker; or its files, for the Dockerfile. */
const ROOT = resolve(import.meta.dirname, '../..');
const USAGE = `usage: npm run image -- --out FILE [--tag NAME:TAG] [--gzip] | --tree FOLDER
  --out FILE      write an archive for docker load, podman load, ctr images import; it is an OCI image layout too
  --tag NAME:TAG  default sallyport:VERSION
  --gzip          compress the layers
  --tree FOLDER   write FOLDER/system and FOLDER/product, the two layers, as the Dockerfile copies them
`;

async function main(): Promise<number> {
  const { out, tag, gzip, tree } = options();
  if ((out === undefined) === (tree === undefined)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const work = mkdtempSync(join(tmpdir(), 'sallyport-image-'));
  try {
    await makeProduct(ROOT, work, join(work, 'dist'));
    const layers = imageLayers(ROOT, join(work, 'dist'));
    for (const layer of layers) say(`${layer.name}: ${layer.entries.length} paths, ${megabytes(sizeOfLayer(layer))}`);
    if (tree !== undefined) for (const layer of layers) writeTree(layer, join(tree, layer.name));
    if (out !== undefined) {
      const config = { ...RUN, labels: imageLabels(ROOT) };
      const image = { layers, config, tag: tag ?? `sallyport:${version()}` };
      const [digest] = writeArchive(out, [image], { work, gzip });
      say(`${out}: ${megabytes(statSync(out).size)}, ${digest}`);
    }
    return 0;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function options() {
  const kinds = {
    out: { type: 'string' },
    tag: { type: 'string' },
    tree: { type: 'string' },
    gzip: { type: 'boolean', default: false },
  } as const;
  return parseArgs({ options: kinds }).values;
}

function version(): string {
  return (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string }).version;
}

function sizeOfLayer({ entries }: ImageLayer): number {
  return entries.reduce((total, entry) => total + sizeOf(entry), 0);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function say(line: string): void {
  process.stderr.write(`image: ${line}\n`);
}

process.exitCode = await main();
