/**
 * What becomes of the fields we know, in one table. Names not listed are passed on; `ownedByPrefix` says which families are not.
 *
 * - `pass`: end-to-end, passed on as it is.
 * - `drop`: not passed on, for it belongs to one connection, or only we may say it.
 * - `refuse`: the request is refused.
 * - `read`: the canonical form is made from it; `fields.ts` says how.
 */
export type FieldRule = {
  readonly name: string;
  readonly fate: 'pass' | 'drop' | 'refuse' | 'read';
  /** Bit of a field that may stand once; 0 for lists, and for `read` fields, which check themselves. */
  readonly once: number;
  /** About one connection only (RFC 9110 section 7.6.1): a peer may name it in `Connection`. */
  readonly hopByHop: boolean;
  /** Makes an HTTP/2 request malformed (RFC 9113 section 8.2.2). */
  readonly refusedInHttp2: boolean;
};

/** Fields about one connection. `connection`, `te`, `transfer-encoding` and `upgrade` are read before they are dropped. */
const HOP_BY_HOP: readonly string[] = [
  'keep-alive',
  'proxy-connection',
  // Credentials for, and challenges of, a proxy end at that proxy (RFC 9110 11.7); an agent behind us has no use for them.
  'proxy-authorization',
  'proxy-authenticate',
  // Request trailers are not forwarded, so nothing may announce them (RFC 9110 6.6.2).
  'trailer',
  'http2-settings',
];

/** Fields by which a proxy speaks to what is behind it. From a peer they are lies or mistakes: dropped before anything reads them. */
const OURS: readonly string[] = [
  'x-forwarded-client-cert',
  // RFC 9440 2.4: strip both from every request, whether or not we set them.
  'client-cert',
  'client-cert-chain',
  'x-request-id',
  // What other proxies say of the client, its address and its identity.
  'forwarded',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'x-cluster-client-ip',
  'x-client-cert',
  'x-client-dn',
  'x-client-verify',
  'remote-user',
  'x-remote-user',
  'x-istio-attributes',
  // A second path or method for frameworks that let a proxy rewrite them (the class of Envoy CVE-2023-27487, x-envoy-original-path).
  'x-original-url',
  'x-original-uri',
  'x-original-method',
  'x-original-host',
  'x-rewrite-url',
];

/** Families of such fields. */
const OUR_PREFIXES: readonly string[] = [
  'x-sallyport-',
  'x-envoy-',
  'x-forwarded-',
  'x-ssl-client-',
  'ssl-client-',
  'x-amzn-mtls-',
  'x-auth-request-',
];

/** A second method: policy would judge one, a framework that honours the field would carry out the other. Dropping it would change the call. */
const METHOD_OVERRIDES: readonly string[] = ['x-http-method-override', 'x-http-method', 'x-method-override'];

/**
 * Fields that may stand once, and why two of them are refused: of two values readers take the first, the last, or both joined
 * (Envoy CVE-2020-25017, CVE-2021-32777, CVE-2026-26308), so policy and agent could read different ones.
 * `host`, `content-length`, `content-type`, `cookie`, `upgrade`, `te`, `expect`, `grpc-timeout`, `sec-websocket-key` and
 * `sec-websocket-version` may stand once as well; they are read, and checked where they are.
 */
const ONCE: Readonly<Record<string, string>> = {
  authorization: 'credentials',
  'x-api-key': 'credentials',
  'api-key': 'credentials',
  'x-auth-token': 'credentials',
  dpop: 'proof of possession; RFC 9449 4.3 asks for exactly one',
  'txn-token': 'credentials',
  'workload-identity-token': 'credentials',
  origin: 'who asks, for CORS and CSRF rules (RFC 6454 7)',
  referer: 'who asks, for CSRF rules',
  from: 'who asks',
  'user-agent': 'who asks, in policies about clients',
  'mcp-session-id': 'which session is acted on',
  'mcp-protocol-version': 'how the body is read',
  'last-event-id': 'from where a stream is resumed',
  'content-disposition': 'how the body is read',
  'content-location': 'which resource the body is about',
  'content-range': 'which part of a resource is written (RFC 9110 14.4)',
  'grpc-encoding': 'how messages are read',
  soapaction: 'which operation is called',
  range: 'which part of a resource is read',
  'if-range': 'whether the part or the whole is read',
  'if-modified-since': 'whether the call has an effect',
  'if-unmodified-since': 'whether the call has an effect',
  'max-forwards': 'who answers (RFC 9110 7.6.2)',
  date: 'freshness of signed requests',
  'access-control-request-method': 'which method a preflight asks about',
  'idempotency-key': 'whether the call is a repetition',
};

/** Common end-to-end lists; here so that their names are shared strings and need no check. */
const LISTS: readonly string[] = [
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'access-control-request-headers',
  'baggage',
  'cache-control',
  'content-digest',
  'content-encoding',
  'content-language',
  'dnt',
  'grpc-accept-encoding',
  'grpc-trace-bin',
  'if-match',
  'if-none-match',
  'link',
  'pragma',
  'prefer',
  'priority',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  'signature',
  'signature-input',
  'via',
  'x-requested-with',
  // Fields of answers: here so that an agent's `Connection` cannot name them away (`answer-headers.ts`).
  'content-security-policy',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'server',
  'set-cookie',
  'strict-transport-security',
  'vary',
  'www-authenticate',
  'grpc-status',
  'grpc-message',
];

const READ: readonly string[] = [
  'host',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'grpc-timeout',
  'sec-websocket-key',
  'sec-websocket-version',
  'traceparent',
  'tracestate',
];

const READ_HOP_BY_HOP: readonly string[] = ['connection', 'te', 'transfer-encoding', 'upgrade'];

/** RFC 9113 section 8.2.2; `http2-settings` has no meaning there at all (RFC 9113 section 3.1). `te` has a rule of its own. */
const REFUSED_IN_HTTP2: readonly string[] = [
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
];

function* rules(): Generator<FieldRule> {
  const make = (name: string, fate: FieldRule['fate'], hopByHop = false, once = 0): FieldRule =>
    Object.freeze({ name, fate, once, hopByHop, refusedInHttp2: REFUSED_IN_HTTP2.includes(name) });
  for (const name of HOP_BY_HOP) yield make(name, 'drop', true);
  for (const name of OURS) yield make(name, 'drop');
  for (const name of METHOD_OVERRIDES) yield make(name, 'refuse');
  for (const [index, name] of Object.keys(ONCE).entries()) yield make(name, 'pass', false, 1 << index);
  for (const name of LISTS) yield make(name, 'pass');
  for (const name of READ) yield make(name, 'read');
  for (const name of READ_HOP_BY_HOP) yield make(name, 'read', true);
}

/** `content-type` as `Content-Type`, the spelling of most HTTP/1.1 senders. */
function titleCase(name: string): string {
  return name.replaceAll(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}

/** Rules by name, under the lower-case and the title-case spelling, so that the usual ones are found without making a string. */
export const FIELDS: ReadonlyMap<string, FieldRule> = new Map(
  [...rules()].flatMap((rule) => [
    [rule.name, rule],
    [titleCase(rule.name), rule],
  ]),
);

/** True for a lower-case name of a family that only we may set. */
export function ownedByPrefix(name: string): boolean {
  const first = name.charCodeAt(0);
  if (first !== 0x78 && first !== 0x73) return false;
  for (const prefix of OUR_PREFIXES) if (name.startsWith(prefix)) return true;
  return false;
}

/** The fields that may stand once, with the reason; for the documentation. */
export const SINGLETONS: Readonly<Record<string, string>> = ONCE;
