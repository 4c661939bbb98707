import { parseOciReference, type OciReference } from '../kernel/oci-reference.ts';
import { isLoopback } from './addresses.ts';

/** How a server of OPA's management APIs is reached. Durations in milliseconds; files as paths. */
export type ServerAccess = {
  /** Bearer token; for a registry `USER:PASSWORD` too (`REGISTRY_LOGIN`). Never to be logged. */
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
  /** CA certificates that are believed, PEM; those of the system where undefined. */
  readonly trustBundle?: string | undefined;
  /** For mTLS; both or neither. */
  readonly certificate?: string | undefined;
  readonly privateKey?: string | undefined;
  /** The SPIFFE ID that the server has to prove, to us by our own identity: in place of the three above. */
  readonly peer?: string | undefined;
  readonly timeout: number;
};

/** A place of this machine that decision records go to. */
export type PlainJournalTarget = { readonly kind: 'stdout' } | { readonly kind: 'file'; readonly path: string };

/** A decision-log receiver. `maxBytes`: of one upload, compressed. Delays in milliseconds. */
export type ReceiverTarget = ServerAccess & {
  readonly kind: 'http';
  readonly url: string;
  readonly maxBytes: number;
  readonly minDelay: number;
  readonly maxDelay: number;
};

/** Where decision records go. */
export type JournalTarget = PlainJournalTarget | ReceiverTarget;

/** Where the policy comes from. What a path leads to (folder or archive) is seen when it is read. */
export type BundleLocation =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 'oci'; readonly url: string; readonly image: OciReference };

/** A place that is asked for a bundle again and again. */
export type ServedBundle = Exclude<BundleLocation, { readonly kind: 'path' }>;

/** `USER:PASSWORD` (RFC 7617 2), printable ASCII: what registries want, and OPA takes for its services of type `oci`. */
export const REGISTRY_LOGIN = /^[!-9;-~]{1,256}:[ -~]{1,8192}$/;

/** Reads `stdout`, `file:PATH` or an http(s) URL. */
export function parseJournalTarget(
  text: string,
): PlainJournalTarget | { readonly kind: 'http'; readonly url: string } | undefined {
  if (text === 'stdout') return { kind: 'stdout' };
  const url = parseHttpUrl(text);
  if (url !== undefined) return { kind: 'http', url };
  const path = text.startsWith('file:') ? text.slice('file:'.length) : '';
  return isPath(path) ? { kind: 'file', path } : undefined;
}

/** Reads a path, an http(s) URL, or an image in a registry; any other scheme is a mistake rather than a strange file name. */
export function parseBundleLocation(text: string): BundleLocation | undefined {
  const url = parseHttpUrl(text);
  if (url !== undefined) return { kind: 'http', url };
  const image = parseOciReference(text);
  if (image !== undefined) return { kind: 'oci', url: text, image };
  const hasScheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text);
  return isPath(text) && !hasScheme ? { kind: 'path', path: text } : undefined;
}

function isPath(text: string): boolean {
  return text !== '' && text.length <= 4_096 && !text.includes('\0');
}

/** An http(s) URL without credentials: they belong in a file of their own. */
export function parseHttpUrl(text: string): string | undefined {
  const url = /^https?:\/\//.test(text) ? URL.parse(text) : null;
  return url !== null && url.username === '' && url.password === '' ? url.href : undefined;
}

/**
 * Where a registry is asked: by HTTPS, but for one on loopback that no TLS is configured for. `docker.io` is a name of Docker Hub in references alone; its registry is
 * at another.
 */
export function registryOrigin(
  { registry }: OciReference,
  access: Pick<ServerAccess, 'trustBundle' | 'certificate'>,
): string {
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  const isPlain = access.trustBundle === undefined && access.certificate === undefined && isLoopbackHost(host);
  return new URL(`${isPlain ? 'http' : 'https'}://${host}`).origin;
}

/** Whether host and port, as a URL has them, are of this machine alone. */
function isLoopbackHost(host: string): boolean {
  return isLoopback(host.replace(/:\d+$/, '').replaceAll(/[[\]]/g, ''));
}
