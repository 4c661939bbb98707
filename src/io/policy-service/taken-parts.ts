/** One part of what a bundle is made of, as this replica knows it: a digest of its content, and since when it is so, milliseconds since the epoch. */
export type Part = { readonly digest: string; readonly sinceMs: number };

/** The parts of one bundle: the platform's side, the namespace's own, what is known of the cluster. */
export type Parts = readonly [platform: Part, own: Part, cluster: Part];

/** What a sidecar says that it has. */
export type Held = { readonly revision: string; readonly parts: readonly Part[] };

/** Digits of a digest that stand in an ETag: it is compared only, and with what a friend says. */
const SHOWN = 16;

/**
 * Replicas hear of a change at different moments: a kubelet writes a mounted ConfigMap a minute and a half later at worst. For this long, milliseconds, what another
 * replica took up counts as news that are still to come; then what we know is served whatever a sidecar has, so that no clock and no restored store locks it out.
 */
export const NEWS_MS = 120_000;

/** Clocks of nodes differ by no more than this, milliseconds; who took something up in a further future says nothing. */
const SKEW_MS = 2_000;

const ETAG = /^"(sha256:[0-9a-f]{64})((?:\.[0-9a-f]{16}-[0-9]{1,15}){3})?"$/;

/** Remembers since when each part has been what it is. A part that comes back to what it was before is new. */
export class TakenParts {
  readonly #parts = new Map<string, Part>();

  take(key: string, digest: string, nowMs: number): void {
    if (this.#parts.get(key)?.digest !== digest) this.#parts.set(key, { digest, sinceMs: nowMs });
  }

  get(key: string): Part | undefined {
    return this.#parts.get(key);
  }

  /** Forgets all other parts. */
  keep(keys: ReadonlySet<string>): void {
    for (const key of this.#parts.keys()) if (!keys.has(key)) this.#parts.delete(key);
  }
}

/** Strong ETag (RFC 9110 8.8.3): the revision, by which bundles are the same or not, and the parts, by which one is newer than another. */
export function etagOf(revision: string, parts: Parts): string {
  return `"${revision}${parts.map(({ digest, sinceMs }) => `.${digest.slice(0, SHOWN)}-${sinceMs}`).join('')}"`;
}

/** Reads an ETag of ours, one without parts too; undefined for any other: whoever sends it has nothing of ours. */
export function readEtag(text: string | undefined): Held | undefined {
  const [, revision, parts = ''] = ETAG.exec(text ?? '') ?? [];
  if (revision === undefined) return undefined;
  const read = [...parts.matchAll(/\.([0-9a-f]+)-([0-9]+)/g)];
  return { revision, parts: read.map(([, digest = '', sinceMs]) => ({ digest, sinceMs: Number(sinceMs) })) };
}

/**
 * For how long, milliseconds, a bundle made of `ours` is not to be served to whoever has one made of `theirs`, because another replica took something up that
 * we have not heard of yet; 0 where it may be served.
 */
export function behindMs(ours: Parts, theirs: readonly Part[], nowMs: number): number {
  const left = theirs.map((part, index) => newsMs(ours[index], part, nowMs));
  return Math.max(0, ...left);
}

function newsMs(ours: Part | undefined, { digest, sinceMs }: Part, nowMs: number): number {
  if (ours === undefined || ours.digest.startsWith(digest) || ours.sinceMs >= sinceMs) return 0;
  return sinceMs - nowMs > SKEW_MS ? 0 : sinceMs + NEWS_MS - nowMs;
}
