/** What a registry wants to be shown. */
export type AuthChallenge =
  | { readonly kind: 'basic' }
  /** A token of the service at `realm`, for `service`. The scope that it names besides is not used: ours is known. */
  | { readonly kind: 'bearer'; readonly realm: string; readonly service: string | undefined };

const MAX_FIELD = 4_096;

/** One `auth-param`, with its value as token or quoted string (RFC 9110 11.2). */
const PARAMETER = /^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\[^])*)"|([^\s,"]+))[ \t]*(?:,|$)/;

/**
 * Reads `WWW-Authenticate` (RFC 9110 11.6.1) of a registry: the first challenge, Basic (RFC 7617) or Bearer (Distribution, "Token Authentication Specification"). Undefined for
 * anything else.
 */
export function readChallenge(field: string | undefined): AuthChallenge | undefined {
  if (field === undefined || field.length > MAX_FIELD) return undefined;
  const [, scheme = '', rest = ''] = /^[ \t]*([A-Za-z]+)(?:[ \t]+([^]*))?$/.exec(field) ?? [];
  if (/^basic$/i.test(scheme)) return { kind: 'basic' };
  if (!/^bearer$/i.test(scheme)) return undefined;
  const parameters = readParameters(rest);
  const realm = parameters.get('realm');
  return realm === undefined ? undefined : { kind: 'bearer', realm, service: parameters.get('service') };
}

/** Those of the first challenge: what does not look like one more is the next challenge, or nothing of use. */
function readParameters(text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  let rest = text;
  for (let found = PARAMETER.exec(rest); found !== null; found = PARAMETER.exec(rest)) {
    const [whole, name = '', quoted, token] = found;
    const key = name.toLowerCase();
    if (!parameters.has(key)) parameters.set(key, quoted?.replaceAll(/\\([^])/g, '$1') ?? token ?? '');
    rest = rest.slice(whole.length);
  }
  return parameters;
}
