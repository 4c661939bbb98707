/** Why a request gave no answer. `detail` is for the operator: no secrets, nothing that the server chose but its own SPIFFE ID. */
export type RequestFault = {
  readonly kind: 'credentials' | 'unreachable' | 'timeout' | 'broken' | 'too_large' | 'stopped';
  readonly detail: string;
};

/** Thrown by our own connector: somebody answered, and is not whom the configuration names. */
export class PeerRefused extends Error {}

/** What Node and undici call it, and what it means for an operator. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network of the host',
  UND_ERR_CONNECT_TIMEOUT: 'the connection was not made in time',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from no authority that we believe; see trustBundle',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from no authority that we believe; see trustBundle',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from no authority that we believe; see trustBundle',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself; see trustBundle',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
};

const BROKEN: Readonly<Record<string, string>> = {
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut before the answer was whole',
  UND_ERR_HEADERS_OVERFLOW: 'the head of the answer is too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer has another length than it says',
};

/** What a thrown error of a request means. */
export function requestFault(error: unknown): RequestFault {
  const refused = [error, (error as { cause?: unknown } | undefined)?.cause].find((one) => one instanceof PeerRefused);
  if (refused !== undefined)
    return { kind: 'unreachable', detail: `it is not the configured peer: ${refused.message}` };
  const code = codeOf(error) ?? codeOf((error as { cause?: unknown } | undefined)?.cause) ?? 'unknown error';
  const unreachable = UNREACHABLE[code];
  if (unreachable !== undefined) return { kind: 'unreachable', detail: unreachable };
  const isTls = /^(?:ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_)/.test(code);
  if (isTls) return { kind: 'unreachable', detail: `TLS failed (${code})` };
  return { kind: 'broken', detail: BROKEN[code] ?? `the request failed (${code})` };
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : undefined;
}
