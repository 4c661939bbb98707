import { equalBytes } from '../../core/identity/bytes.ts';
import { createCsr } from '../../core/issuance/create-csr.ts';
import { generateKeyPair } from '../../core/issuance/signing-key.ts';

import type { KeyObject } from 'node:crypto';
import type { CaSigner } from '../../core/issuance/ca-signer.ts';
import type { IssuedSvid } from '../../core/issuance/svid.ts';
import type { SpiffeId, TrustDomain } from '../../core/kernel/brand.ts';
import type { Issuer } from './issuer.ts';

/** The authority's certificate for itself, with its key, in memory only. */
export type OwnSvid = { readonly svid: IssuedSvid; readonly privateKey: KeyObject };

/** After a failure, how long nothing is tried, milliseconds. */
const RETRY_MS = 5_000;

/** The ID of an authority that was not given another. */
export function usualOwnId(trustDomain: TrustDomain): SpiffeId {
  return `spiffe://${trustDomain}/sallyport/authority` as SpiffeId;
}

/** Keeps the authority's own certificate young. */
export class OwnIdentity {
  readonly #issuer: Issuer;
  #failedMs = Number.NEGATIVE_INFINITY;
  #madeMs = 0;
  current: OwnSvid | undefined;

  constructor(issuer: Issuer) {
    this.#issuer = issuer;
  }

  /**
   * True from half of its life on, where there is none or it is not good any more, where another CA issues now (so that whoever begins with the
   * new root alone can ask), and where the clock was set back to before it began.
   */
  isDue(atMs: number, isGood: (serial: string) => boolean, issuer: Pick<CaSigner, 'chain'> | undefined): boolean {
    if (Math.abs(atMs - this.#failedMs) < RETRY_MS) return false;
    if (this.current === undefined || !isGood(this.current.svid.serial)) return true;
    const { chain, notBeforeMs, notAfterMs } = this.current.svid;
    if (issuer !== undefined && !isSame(chain.slice(1), issuer.chain)) return true;
    // From when it was made, not from notBefore: that lies back for the sake of other clocks, and a short life would be half over at once.
    return atMs < notBeforeMs || atMs >= (this.#madeMs + notAfterMs) / 2;
  }

  /** Makes a new key and a certificate for it. Gives what went wrong; then the last one stays. */
  async renew(atMs: number): Promise<string | undefined> {
    const { privateKey } = generateKeyPair('p256');
    const svid = await this.#issuer.issueOwn(await createCsr(privateKey));
    this.#failedMs = svid.ok ? Number.NEGATIVE_INFINITY : atMs;
    if (!svid.ok) return `the authority's own certificate: ${svid.error.detail}`;
    this.current = { svid: svid.value, privateKey };
    this.#madeMs = atMs;
    return undefined;
  }
}

function isSame(chain: readonly Uint8Array[], other: readonly Uint8Array[]): boolean {
  return (
    chain.length === other.length && chain.every((der, index) => equalBytes(der, other[index] ?? new Uint8Array()))
  );
}
