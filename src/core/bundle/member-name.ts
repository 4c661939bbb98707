/** Longest path of a member, in bytes. */
const MAX_NAME = 1_024;

/**
 * The one reading of a member's name: relative, segments joined by `/`. One leading `/` (as OPA writes) or `./` is dropped. Undefined for what
 * leaves the bundle or could be read in two ways: `.`, `..` and empty segments, back-slashes, control characters, over-long names.
 */
export function memberName(name: string): string | undefined {
  const relative = name.startsWith('./') ? name.slice(2) : name.replace(/^\//, '');
  if (relative.length > MAX_NAME || /[\\\x00-\x1f\x7f]/.test(relative)) return undefined;
  const segments = relative.split('/');
  return segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..') ? relative : undefined;
}

/** UTF-8 text, or undefined where the bytes are none. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
