import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';

import { err, ok, type Result } from '../../core/kernel/result.ts';
import { fault, type Fault } from '../../core/model/faults.ts';

/** Who we are and whom we believe at this moment, as the TLS library takes it. */
export type TlsIdentity = {
  /** Our chain, PEM, leaf first. */
  readonly certificateChain: string;
  /** Never to be logged. A key in a token stays there. */
  readonly privateKey: NonNullable<SecureContextOptions['key']>;
  /** The certificates of all trust bundles, PEM each. */
  readonly trustAnchors: readonly string[];
  /** Changes whenever anything else in it does. */
  readonly revision: string;
  /** Our certificate's notAfter, milliseconds since the epoch; connections do not outlive the one they were made with. */
  readonly validUntilMs?: number | undefined;
};

/** An identity ready for use. */
export type OwnContext = {
  readonly context: SecureContext;
  readonly revision: string;
  readonly validUntilMs: number;
};

/** The TLS context of our identity, made once for each revision of it (a millisecond of work). */
export class OwnContexts {
  readonly #identity: () => TlsIdentity | undefined;
  readonly #wallMs: () => number;
  #newest: OwnContext | undefined;

  constructor(identity: () => TlsIdentity | undefined, wallMs: () => number) {
    this.#identity = identity;
    this.#wallMs = wallMs;
  }

  /** The revision of now, whether or not it can be used. */
  get revision(): string | undefined {
    return this.#identity()?.revision;
  }

  /** What a new connection uses. Fails with `identity_unavailable` where there is nothing valid. */
  current(): Result<OwnContext, Fault> {
    const identity = this.#identity();
    if (identity === undefined) return err(fault('identity_unavailable', 'no certificate of ours is loaded'));
    const { validUntilMs = Number.POSITIVE_INFINITY, revision } = identity;
    if (this.#wallMs() >= validUntilMs) return err(fault('identity_unavailable', 'our certificate has expired'));
    if (this.#newest?.revision === revision) return ok(this.#newest);
    try {
      this.#newest = { context: createSecureContext(contextOptions(identity)), revision, validUntilMs };
      return ok(this.#newest);
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      return err(fault('identity_unavailable', `the TLS library does not take our certificate or key: ${why}`));
    }
  }
}

function contextOptions(identity: TlsIdentity): SecureContextOptions {
  return {
    cert: identity.certificateChain,
    key: identity.privateKey,
    ca: [...identity.trustAnchors],
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    // Nothing is ever resumed: each connection shows its whole chain.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
