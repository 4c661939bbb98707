/**
 * Segments of a delta's path as OPA reads it (v1/bundle/store.go, v1/storage/path.go): outer slashes dropped, each segment with its percent escapes resolved, then
 * `~1` and `~0` (RFC 6901). No segments: the top of the data. Undefined: a percent sign that begins no UTF-8 escape.
 */
export function patchPath(path: string): readonly string[] | undefined {
  const trimmed = path.replaceAll(/^\/+|\/+$/g, '');
  if (trimmed === '') return [];
  try {
    return trimmed.split('/').map((segment) => decodeURIComponent(segment).replaceAll('~1', '/').replaceAll('~0', '~'));
  } catch {
    return undefined;
  }
}
