import { resourcePath } from './api-resource.ts';

import type { Resource, Verb } from './api-resource.ts';

/** Why the API server did not do what it was asked. `detail` is for the operator; no token and nothing of an object is in it. */
export type ApiFault = {
  readonly kind:
    /** There is no such object (404). */
    | 'not_found'
    /** It exists already, or was changed since it was read (409, or a failed `test` of a JSON patch): read again. */
    | 'conflict'
    /** RBAC does not let us; `detail` says the rule that is missing (403). */
    | 'forbidden'
    /** The resourceVersion, or the page, is too old: list again (410). */
    | 'gone'
    /** The object is not one that the API server takes (400, 415, 422). */
    | 'invalid'
    /** Larger than the bound for answers, or for one line of a watch. */
    | 'too_large'
    /** Away, slow, overloaded, or does not know our token: try again later. */
    | 'unavailable'
    /** What came is not the Kubernetes API. */
    | 'broken'
    /** We were told to stop. */
    | 'stopped';
  readonly detail: string;
  /** When it asks not to be asked before (`Retry-After`), milliseconds. */
  readonly retryAfterMs?: number | undefined;
};

/** What an answer with this status means. `reason`: of the Status object, where there was one. */
export function faultOfStatus(
  status: number,
  reason: string,
  asked: { readonly verb: Verb; readonly resource: Resource },
  retryAfterMs?: number,
): ApiFault {
  const { verb, resource } = asked;
  const what = `${verb} ${resourcePath(resource)}`;
  const kind = kindOf(status, verb);
  const detail = kind === 'forbidden' ? missingRule(verb, resource) : `${what}: ${hint(status, reason)}`;
  return { kind, detail, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

function kindOf(status: number, verb: Verb): ApiFault['kind'] {
  if (status === 404) return 'not_found';
  // A JSON patch whose `test` fails is answered 422; there is nothing else in ours that could be wrong with it.
  if (status === 409 || (status === 422 && verb === 'patch')) return 'conflict';
  if (status === 403) return 'forbidden';
  if (status === 410) return 'gone';
  if (status === 400 || status === 413 || status === 415 || status === 422) return 'invalid';
  return status === 401 || status === 408 || status === 429 || status >= 500 ? 'unavailable' : 'broken';
}

function hint(status: number, reason: string): string {
  const said = `the API server answered ${status}${reason === '' ? '' : ` ${reason}`}`;
  return status === 401 ? `${said}: it does not know our own token; has the service account gone?` : said;
}

/** The rule of a Role or ClusterRole that would allow it. */
function missingRule(verb: Verb, { group, plural, subresource, namespace, name }: Resource): string {
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
  const named = name === undefined || verb === 'create' ? '' : `, resourceNames: [${name}]`;
  const where = namespace === undefined ? 'a ClusterRole' : `a Role in namespace ${namespace}`;
  return (
    `our service account may not ${verb} ${resource} (403); ${where} bound to it needs ` +
    `{apiGroups: ["${group}"], resources: [${resource}]${named}, verbs: [${verb}]}`
  );
}

/** What went wrong with a connection: its code, or its cause's; never its text, which may hold what was sent. */
export function connectionFault(error: unknown): ApiFault {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } | null };
  const codes = [code, cause?.code].filter((one) => typeof one === 'string');
  const known = codes.find((one) => /^[A-Z0-9_]{1,64}$/.test(one)) ?? 'unknown error';
  return { kind: 'unavailable', detail: `API server: the connection failed (${known})` };
}
