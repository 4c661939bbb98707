/** Where decision records go. */
export type JournalTarget =
  | { readonly kind: 'stdout' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'http'; readonly url: string };

/** Where the policy comes from. What a path leads to (folder or archive) is seen when it is read. */
export type BundleLocation =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'http'; readonly url: string };

/** Reads `stdout`, `file:PATH` or an http(s) URL. */
export function parseJournalTarget(text: string): JournalTarget | undefined {
  if (text === 'stdout') return { kind: 'stdout' };
  const url = httpUrl(text);
  if (url !== undefined) return { kind: 'http', url };
  const path = text.startsWith('file:') ? text.slice('file:'.length) : '';
  return isPath(path) ? { kind: 'file', path } : undefined;
}

/** Reads a path, or an http(s) URL; any other scheme is a mistake rather than a strange file name. */
export function parseBundleLocation(text: string): BundleLocation | undefined {
  const url = httpUrl(text);
  if (url !== undefined) return { kind: 'http', url };
  const hasScheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text);
  return isPath(text) && !hasScheme ? { kind: 'path', path: text } : undefined;
}

function isPath(text: string): boolean {
  return text !== '' && text.length <= 4_096 && !text.includes('\0');
}

/** An http(s) URL without credentials: they belong in a file of their own. */
function httpUrl(text: string): string | undefined {
  const url = /^https?:\/\//.test(text) ? URL.parse(text) : null;
  return url !== null && url.username === '' && url.password === '' ? url.href : undefined;
}
