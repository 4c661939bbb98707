import { createHash } from 'node:crypto';
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { complete, fileOf, text, type ImageEntry, type ImageLayer } from './entry.ts';
import { writeTar } from './tar.ts';

const TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

/** How a container starts, and what the image says of itself. */
export type ImageConfig = {
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
};

/** One image of an archive; layers that are the same object are written once for all. */
export type ArchivedImage = {
  readonly layers: readonly ImageLayer[];
  readonly config: ImageConfig;
  /** `NAME:TAG`. */
  readonly tag: string;
};

export type ArchiveOptions = {
  /** Where layers lie meanwhile. */
  readonly work: string;
  /** Compress the layers: a third of the size, and ten seconds. Default false. */
  readonly gzip?: boolean;
};

type Blob = {
  readonly digest: string;
  readonly size: number;
  readonly from: { readonly bytes: Uint8Array } | { readonly file: string };
};
type LayerBlob = Blob & { readonly diffId: string };

/**
 * Writes images as one file that `docker load`, `podman load` and `ctr images import` take, and that is an OCI image layout (image-spec 1.1) at once: what
 * `docker save` writes since version 25. The same contents give the same bytes. Returns the digests of the images' manifests.
 */
export function writeArchive(
  out: string,
  images: readonly ArchivedImage[],
  { work, gzip = false }: ArchiveOptions,
): readonly string[] {
  const layers = [...new Set(images.flatMap((image) => image.layers))];
  const blobs = new Map(layers.map((layer, at) => [layer, layerBlob(layer, join(work, `layer-${at}.tar`), gzip)]));
  const written = images.map((image) => imageBlobs(image, blobs, gzip));
  const index = {
    schemaVersion: 2,
    mediaType: TYPES.index,
    manifests: written.map(({ manifest: { digest, size }, annotations }) => ({
      mediaType: TYPES.manifest,
      digest,
      size,
      annotations,
    })),
  };
  const entries = complete([
    ...[...blobs.values(), ...written.flatMap(({ about, manifest }) => [about, manifest])].map(blobEntry),
    text('/index.json', JSON.stringify(index)),
    text('/manifest.json', JSON.stringify(written.map(({ forDocker }) => forDocker))),
    text('/oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' })),
  ]);
  writeFileWhole(out, (sink) => writeTar(entries, sink));
  for (const { from } of blobs.values()) if ('file' in from) rmSync(from.file);
  return written.map(({ manifest }) => manifest.digest);
}

/** An image's configuration and manifest, and how indexes name it. */
function imageBlobs({ layers, config, tag }: ArchivedImage, all: ReadonlyMap<ImageLayer, LayerBlob>, gzip: boolean) {
  const blobs = layers.map((layer) => all.get(layer)).filter((blob) => blob !== undefined);
  const about = jsonBlob(configOf(config, layers, blobs));
  const manifest = jsonBlob({
    schemaVersion: 2,
    mediaType: TYPES.manifest,
    config: { mediaType: TYPES.config, digest: about.digest, size: about.size },
    layers: blobs.map(({ digest, size }) => ({ mediaType: gzip ? `${TYPES.layer}+gzip` : TYPES.layer, digest, size })),
  });
  return {
    about,
    manifest,
    annotations: {
      'io.containerd.image.name': tag.includes('/') ? tag : `docker.io/library/${tag}`,
      'org.opencontainers.image.ref.name': tag.replace(/^.*:/, ''),
    },
    forDocker: { Config: pathOf(about), RepoTags: [tag], Layers: blobs.map(pathOf) },
  };
}

/** A layer's archive lies in a file: Node alone is 150 MB. */
function layerBlob(layer: ImageLayer, file: string, gzip: boolean): LayerBlob {
  if (gzip) {
    const parts: Uint8Array[] = [];
    writeTar(layer.entries, (bytes) => parts.push(bytes));
    const whole = Buffer.concat(parts);
    const packed = gzipSync(whole, { level: 9 });
    writeFileWhole(file, (sink) => sink(packed));
    return { digest: digestOf(packed), size: packed.length, diffId: digestOf(whole), from: { file } };
  }
  const hash = createHash('sha256');
  let size = 0;
  writeFileWhole(file, (sink) =>
    writeTar(layer.entries, (bytes) => {
      hash.update(bytes);
      size += bytes.length;
      sink(bytes);
    }),
  );
  const digest = `sha256:${hash.digest('hex')}`;
  return { digest, size, diffId: digest, from: { file } };
}

function configOf(config: ImageConfig, layers: readonly ImageLayer[], blobs: readonly LayerBlob[]): object {
  return {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      User: config.user,
      Env: config.env,
      Entrypoint: config.entrypoint,
      Cmd: config.command,
      WorkingDir: '/',
      Labels: config.labels,
    },
    rootfs: { type: 'layers', diff_ids: blobs.map(({ diffId }) => diffId) },
    history: layers.map(({ name }) => ({ created_by: `npm run image: ${name}` })),
  };
}

function jsonBlob(content: object): Blob {
  const bytes = Buffer.from(JSON.stringify(content));
  return { digest: digestOf(bytes), size: bytes.length, from: { bytes } };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function pathOf({ digest }: Blob): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function blobEntry(blob: Blob): ImageEntry {
  const path = `/${pathOf(blob)}`;
  return 'file' in blob.from ? fileOf(path, blob.from.file) : { kind: 'file', path, mode: 0o644, from: blob.from };
}

/** A reader finds the whole file or none. */
function writeFileWhole(path: string, write: (sink: (bytes: Uint8Array) => void) => void): void {
  const file = openSync(`${path}.new`, 'w');
  try {
    write((bytes) => {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    });
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
}
