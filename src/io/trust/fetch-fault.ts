/** Thrown by our own connector: somebody answered, and is not whom we want. */
export class EndpointRefused extends Error {}

/** What Node and undici call it, and what it means for an operator. */
const MEANING: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network of the host',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from no authority that we believe',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from no authority that we believe',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from no authority that we believe',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut before the answer was whole',
  UND_ERR_HEADERS_OVERFLOW: 'the head of the answer is too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer has another length than it says',
};

/** Why a request gave no answer, for the operator: nothing that the server chose but its own ID. */
export function fetchFault(error: unknown): string {
  const cause = (error as { cause?: unknown } | null | undefined)?.cause;
  for (const one of [error, cause])
    if (one instanceof EndpointRefused) return `is not the configured endpoint: ${one.message}`;
  const code = codeOf(error) ?? codeOf(cause) ?? 'unknown error';
  return (
    MEANING[code] ??
    (/^(?:ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_)/.test(code) ? `TLS failed (${code})` : `the request failed (${code})`)
  );
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : undefined;
}
