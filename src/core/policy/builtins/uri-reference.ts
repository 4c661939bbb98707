/** The parts of a URI reference (RFC 3986 appendix B). */
type UriParts = {
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
  readonly path: string;
  readonly query: string | undefined;
  readonly fragment: string | undefined;
};

const URI = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;

/** The absolute form of a reference (RFC 3986 5.2.2). An empty fragment is left out, as Go does. */
export function resolveUri(base: string, reference: string): string {
  const child = parts(reference);
  const parent = parts(base);
  if (child.scheme !== undefined) return text({ ...child, path: withoutDots(child.path) });
  if (child.authority !== undefined) return text({ ...child, scheme: parent.scheme, path: withoutDots(child.path) });
  const { scheme, authority } = parent;
  if (child.path === '')
    return text({ ...child, scheme, authority, path: parent.path, query: child.query ?? parent.query });
  return text({ ...child, scheme, authority, path: withoutDots(merged(parent, child.path)) });
}

/** A URI without its fragment, and the fragment, with its percent escapes undone where they are sound. */
export function splitFragment(uri: string): { readonly base: string; readonly fragment: string } {
  const cut = uri.indexOf('#');
  if (cut < 0) return { base: uri, fragment: '' };
  const raw = uri.slice(cut + 1);
  try {
    return { base: uri.slice(0, cut), fragment: decodeURIComponent(raw) };
  } catch {
    return { base: uri.slice(0, cut), fragment: raw };
  }
}

function parts(uri: string): UriParts {
  const [, scheme, authority, path = '', query, fragment] = URI.exec(uri) ?? [];
  return { scheme, authority, path, query, fragment };
}

function text({ scheme, authority, path, query, fragment }: UriParts): string {
  const head = `${scheme === undefined ? '' : `${scheme}:`}${authority === undefined ? '' : `//${authority}`}`;
  const tail = `${query === undefined ? '' : `?${query}`}${fragment === undefined || fragment === '' ? '' : `#${fragment}`}`;
  return head + path + tail;
}

/** RFC 3986 5.2.3, but that Go makes every path absolute, also where the base has none. */
function merged(base: UriParts, path: string): string {
  if (path.startsWith('/')) return path;
  const joined = base.path.slice(0, base.path.lastIndexOf('/') + 1) + path;
  return joined.startsWith('/') ? joined : `/${joined}`;
}

/** RFC 3986 5.2.4. */
function withoutDots(path: string): string {
  if (!path.includes('.')) return path;
  const kept: string[] = [];
  const segments = path.split('/');
  for (const [at, segment] of segments.entries()) {
    const last = at === segments.length - 1;
    if (segment === '..' && kept.length > 1) kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (last) kept.push('');
  }
  return kept.join('/');
}
