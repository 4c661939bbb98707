import { err, type Result } from '../../core/kernel/result.ts';

/** Why an authority gave nothing. `detail` is for the operator: no secrets, nothing that the server chose. */
export type ClientFault = {
  /**
   * `refused`: it said no, and will say so again; `unavailable`: it could not be asked (also because what listens there is not the authority), or asks
   * us to wait; `malformed`: what it said cannot be understood.
   */
  readonly kind: 'refused' | 'unavailable' | 'malformed';
  readonly detail: string;
  /** Not to be asked again before, milliseconds from now (`Retry-After`). */
  readonly retryAfterMs?: number | undefined;
};

export function unavailable(detail: string, retryAfterMs?: number): Result<never, ClientFault> {
  return err({ kind: 'unavailable', detail, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}

export function malformed(detail: string): Result<never, ClientFault> {
  return err({ kind: 'malformed', detail });
}

/** What Node calls it, and what it means for an operator. */
const MEANING: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name cannot be looked up now',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network of the host',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from no root that we believe',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from no root that we believe',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from no root that we believe',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  CERT_SIGNATURE_FAILURE: 'its certificate comes from no root that we believe',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ABORT_ERR: 'given up',
};

/** What a thrown error means: by its code alone, since its text may hold what the server sent. */
export function meaningOf(error: unknown): string {
  const code = codeOf(error);
  return MEANING[code] ?? `the connection failed (${code})`;
}

/** True for what llhttp says of an answer that is no HTTP. */
export function isHttpFault(error: unknown): boolean {
  return codeOf(error).startsWith('HPE_');
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : 'unknown error';
}
