/** How a server of OPA's management APIs is reached. Durations in milliseconds; files as paths. */
export type ServerAccess = {
  /** Bearer token. Never to be logged. */
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
  | { readonly kind: 'http'; readonly url: string };

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

/** Reads a path, or an http(s) URL; any other scheme is a mistake rather than a strange file name. */
export function parseBundleLocation(text: string): BundleLocation | undefined {
  const url = parseHttpUrl(text);
  if (url !== undefined) return { kind: 'http', url };
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
