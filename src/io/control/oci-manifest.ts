import * as z from 'zod';

import { OCI_DIGEST } from '../../core/kernel/oci-reference.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';

/** What a manifest says of content elsewhere (OCI Image Format Specification 1.1, "Descriptors"). */
export type Descriptor = { readonly mediaType: string; readonly digest: string; readonly size: number };

/** What a document says that a tag or digest leads to: the bundle, or the one manifest of an index. */
export type Manifest =
  | { readonly kind: 'bundle'; readonly layer: Descriptor }
  | { readonly kind: 'index'; readonly manifest: Descriptor };

/** Largest document that is read, bytes: those of bundles have less than a thousand. */
export const MAX_MANIFEST_BYTES = 262_144;

const MANIFESTS: readonly string[] = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const INDEXES: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

/** `Accept` of a request for a manifest: what is not asked for, some registries convert or hide. */
export const ACCEPT_MANIFESTS = [...MANIFESTS, ...INDEXES].join(', ');

/** OPA takes the first (v1/download, `bundleLayer`); the other is what Docker writes for the same. */
const BUNDLES: readonly string[] = [
  'application/vnd.oci.image.layer.v1.tar+gzip',
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
];

const descriptor = z.object({
  mediaType: z.string().max(255),
  digest: z.string().regex(OCI_DIGEST),
  size: z.int().nonnegative(),
});
const ofPlatform = descriptor.extend({
  platform: z.object({ os: z.string().optional(), architecture: z.string().optional() }).optional(),
});
const schema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().max(255).optional(),
  layers: z.array(z.unknown()).max(256).optional(),
  manifests: z.array(z.unknown()).max(256).optional(),
});

/** Reads an image manifest or an index. `contentType`: the type that it came with. The error says what is wrong with it, in words of ours. */
export function readManifest(bytes: Uint8Array, contentType: string | undefined): Result<Manifest, string> {
  const read = schema.safeParse(parseJson(bytes));
  if (!read.success) return err('the manifest is none of schema version 2 (OCI image manifest, Docker schema 2)');
  const { mediaType, layers, manifests } = read.data;
  const stated = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  const type = mediaType ?? stated ?? '';
  // One document that can be read as either is two for two readers (OCI Image Format Specification 1.1, "Media Type Conflicts").
  if (stated !== undefined && stated !== type) return err('the manifest says another media type than the registry');
  if (layers !== undefined && manifests !== undefined)
    return err('the manifest says that it is an image, and that it is an index');
  if (MANIFESTS.includes(type) && layers !== undefined) return bundleOf(layers);
  if (INDEXES.includes(type) && manifests !== undefined) return manifestOf(manifests);
  return err('what is there is no image manifest and no image index (media type)');
}

/** The one layer that can be a bundle. OPA takes the first of several: which of them decides would hang on their order. */
function bundleOf(layers: readonly unknown[]): Result<Manifest, string> {
  const bundles = layers.filter((layer) => BUNDLES.includes(mediaTypeOf(layer)));
  if (bundles.length !== 1)
    return err(
      `the image has ${bundles.length === 0 ? 'no layer' : `${bundles.length} layers`} of type ${BUNDLES[0]}: a bundle is one`,
    );
  const layer = descriptor.safeParse(bundles[0]);
  if (!layer.success) return err('the layer of the bundle is not described by a sha256 digest and a size');
  return ok({ kind: 'bundle', layer: layer.data });
}

/** The one image of an index. Attestations, which build tools add, are images of no platform, as OPA has it. */
function manifestOf(manifests: readonly unknown[]): Result<Manifest, string> {
  const all = z.array(ofPlatform).safeParse(manifests);
  if (!all.success) return err('the index does not describe each of its images by a sha256 digest and a size');
  const images = all.data.filter(({ platform }) => platform?.os !== 'unknown' || platform.architecture !== 'unknown');
  const [image, ...others] = images;
  if (image === undefined || others.length > 0)
    return err(`the index names ${images.length} images: a policy has no platforms, give the digest of one`);
  if (!MANIFESTS.includes(image.mediaType)) return err('the index leads to something else than an image manifest');
  return ok({ kind: 'index', manifest: { mediaType: image.mediaType, digest: image.digest, size: image.size } });
}

function mediaTypeOf(layer: unknown): string {
  return descriptor.pick({ mediaType: true }).safeParse(layer).data?.mediaType ?? '';
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
