import type { PolicyInput } from '../model/policy-input.ts';

/** What is kept out of records whatever the policy says. */
export type MaskDefaults = {
  /** Erase `parsed_body` and `attributes.request.http.body`. Default true. */
  readonly bodies: boolean;
  /** Headers whose values are replaced, lower case: of the request, and among those that a policy sets. */
  readonly headers: ReadonlySet<string>;
};

/**
 * Bodies, and the headers that carry credentials: RFC 9110 section 11.6.2 and 11.7.2, RFC 6265, and the fields that `core/request` takes for
 * credentials (`field-table.ts`).
 */
export const DEFAULT_MASK: MaskDefaults = Object.freeze({
  bodies: true,
  headers: new Set([
    'authorization',
    'proxy-authorization',
    'cookie',
    'set-cookie',
    'x-api-key',
    'api-key',
    'x-auth-token',
    'dpop',
    'txn-token',
    'workload-identity-token',
  ]),
});

/** What stands where a value was masked. */
export const REDACTED = '**REDACTED**';

/** Collects JSON pointers (RFC 6901) of what was taken out or replaced, in the order it happened. */
export type Traces = { readonly erased: string[]; readonly masked: string[] };

type Members = Readonly<Record<string, unknown>>;

const HTTP = '/input/attributes/request/http';

/** The input without bodies and without the values of secret headers. Changes nothing; gives the same object where nothing is secret. */
export function maskInput(input: PolicyInput, defaults: MaskDefaults, traces: Traces): PolicyInput {
  const masked = defaults.bodies ? withoutParsedBody(input, traces) : input;
  const { request } = input.attributes;
  if (request === undefined) return masked;
  const bodiless = defaults.bodies ? withoutBody(request.http, traces) : request.http;
  const headers = maskMembers(bodiless.headers, defaults.headers, `${HTTP}/headers`, traces.masked);
  if (headers === request.http.headers && bodiless === request.http) return masked;
  const http = { ...bodiless, headers: headers as Readonly<Record<string, string>> };
  return { ...masked, attributes: { ...masked.attributes, request: { ...request, http } } };
}

/**
 * The answer of a policy without the secrets it hands on: values of secret headers in `headers` and `response_headers_to_add`, and all values of
 * `query_parameters_to_set`, which are credentials more often than not. Any other shape of answer is left as it is.
 */
export function maskResult(result: unknown, defaults: MaskDefaults, traces: Traces): unknown {
  if (!isMembers(result)) return result;
  let masked = result;
  for (const key of ['headers', 'response_headers_to_add'] as const) {
    masked = replaced(masked, key, maskShapes(masked[key], defaults.headers, `/result/${key}`, traces.masked));
  }
  const query = 'query_parameters_to_set';
  return replaced(masked, query, maskShapes(masked[query], undefined, `/result/${query}`, traces.masked));
}

function withoutParsedBody(input: PolicyInput, traces: Traces): PolicyInput {
  // null says that the content type has no reading; there is no body in it.
  if (input.parsed_body === undefined || input.parsed_body === null) return input;
  traces.erased.push('/input/parsed_body');
  const { parsed_body: _, ...rest } = input;
  return rest;
}

type Http = NonNullable<PolicyInput['attributes']['request']>['http'];

function withoutBody(http: Http, traces: Traces): Http {
  if (http.body === undefined) return http;
  traces.erased.push(`${HTTP}/body`);
  const { body: _, ...rest } = http;
  return rest;
}

/** `headers` and their like are an object, or an array of such objects (OPA-Envoy decision). */
function maskShapes(value: unknown, names: ReadonlySet<string> | undefined, at: string, masked: string[]): unknown {
  if (!Array.isArray(value)) return isMembers(value) ? maskMembers(value, names, at, masked) : value;
  const shapes = value.map((shape: unknown, index) =>
    isMembers(shape) ? maskMembers(shape, names, `${at}/${index}`, masked) : shape,
  );
  return shapes.some((shape, index) => shape !== value[index]) ? shapes : value;
}

/** Replaces the values of members named in `names` (undefined: of all), in any case of letters. */
function maskMembers(members: Members, names: ReadonlySet<string> | undefined, at: string, masked: string[]): Members {
  let copy: Record<string, unknown> | undefined;
  for (const name in members) {
    if (!Object.hasOwn(members, name) || (names !== undefined && !names.has(name.toLowerCase()))) continue;
    copy ??= { ...members };
    Object.defineProperty(copy, name, { value: REDACTED, enumerable: true, configurable: true, writable: true });
    masked.push(`${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  }
  return copy ?? members;
}

function replaced(members: Members, key: string, value: unknown): Members {
  return value === members[key] ? members : { ...members, [key]: value };
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
