import { createHash, type KeyObject } from 'node:crypto';

import { parseTrustDomain } from '../../src/core/identity/spiffe-id.ts';
import type { SpiffeId, TrustDomain } from '../../src/core/kernel/brand.ts';
import { err, ok, type Result } from '../../src/core/kernel/result.ts';
import { readCsr } from '../../src/core/issuance/csr.ts';
import type { IssuedSvid } from '../../src/core/issuance/svid.ts';
import type { Attestation, IssuanceFault, TrustDocument } from '../../src/core/model/svid.ts';
import type { IssuingAuthority, RefusedCaller } from '../../src/io/authority/issuing-authority.ts';
import { createAuthority, type Authority, type CertificateOptions, type Issued } from './pki.ts';

type Call = { readonly attestation: Attestation; readonly csr: Uint8Array; readonly source: string };

/** What its own certificate and those that it issues differ in from right ones. */
export type FakeAuthorityOptions = {
  readonly trustDomain?: string;
  readonly id?: string;
  readonly own?: CertificateOptions;
};

const TEN_YEARS = 3_650 * 86_400_000;

/**
 * An authority without a store, log or limits, which does what its interface promises: for tests of what stands in front of it. Join tokens, service
 * accounts and renewal; a second root; revocation with a list. `issue` can be made to fail or to wait.
 */
export class FakeIssuingAuthority implements Pick<
  IssuingAuthority,
  'issue' | 'noteRefusal' | 'trust' | 'onTrust' | 'isGood' | 'own' | 'trustDomain'
> {
  readonly trustDomain: TrustDomain;
  readonly id: string;
  /** Token to ID; a token is gone once it was used. */
  readonly tokens = new Map<string, string>();
  readonly calls: Call[] = [];
  /** In place of what it would say. */
  answer: ((call: Call) => Promise<Result<IssuedSvid, IssuanceFault>>) | undefined = undefined;
  /** Changes what it says of trust; the revision stays. */
  alter: ((trust: TrustDocument) => TrustDocument) | undefined = undefined;
  refreshHintMs: number | undefined = 300_000;
  readonly #known = new Map<string, { readonly id: string; readonly serial: bigint; revoked: boolean }>();
  readonly #listeners = new Set<() => void>();
  #roots: Authority[];
  #crl: Uint8Array;
  #crlNumber = 0n;
  #own: Issued;

  constructor(options: FakeAuthorityOptions = {}) {
    const name = options.trustDomain ?? 'example.org';
    const domain = parseTrustDomain(name);
    if (!domain.ok) throw new Error(domain.error.detail);
    this.trustDomain = domain.value;
    this.id = options.id ?? `spiffe://${name}/sallyport/authority`;
    this.#roots = [createAuthority({ trustDomain: name })];
    this.#own = this.#signer.issue({ id: this.id, ...options.own });
    this.#crl = this.#list();
  }

  /** DER of all roots that are believed. */
  get roots(): readonly Uint8Array[] {
    return this.#roots.map((root) => root.certificate.der);
  }

  /** The certificate authority that signs now. */
  get #signer(): Authority {
    return this.#roots.at(-1)!;
  }

  async issue(attestation: Attestation, csr: Uint8Array, source: string): Promise<Result<IssuedSvid, IssuanceFault>> {
    const call = { attestation, csr, source };
    this.calls.push(call);
    if (this.answer !== undefined) return this.answer(call);
    const request = readCsr(csr);
    if (!request.ok) return request;
    const id = this.#idOf(attestation);
    if (id === undefined) return err({ kind: 'caller_refused', detail: 'unknown' });
    return ok(this.give(id, { rawSpki: request.value.spki }));
  }

  /** Issues, whoever asks, and behind the store's back where it is not to be `known`. The key is that of the options, and otherwise a fresh one. */
  give(id: string, options: CertificateOptions = {}, known = true): IssuedSvid & { readonly issued: Issued } {
    const issued = this.#signer.issue({ id, ...options });
    const serial = issued.serial.toString(16);
    if (known) this.#known.set(serial, { id, serial: issued.serial, revoked: false });
    return {
      spiffeId: id as SpiffeId,
      chain: issued.chain,
      serial,
      spkiSha256: createHash('sha256')
        .update(options.rawSpki ?? '')
        .digest('hex'),
      notBeforeMs: Date.now(),
      notAfterMs: Math.floor(issued.notAfter.getTime() / 1_000) * 1_000,
      issued,
    };
  }

  /** Refusals that it was told to write down. */
  readonly noted: (readonly [caller: RefusedCaller, detail: string])[] = [];

  noteRefusal(caller: RefusedCaller, detail: string): Promise<void> {
    this.noted.push([caller, detail]);
    return Promise.resolve();
  }

  trust(): TrustDocument {
    const bundles = new Map([[this.trustDomain, this.roots]]);
    const hash = createHash('sha256').update(this.#crl);
    for (const root of this.roots) hash.update(root);
    const { refreshHintMs } = this;
    const trust = { revision: hash.digest('hex'), bundles, crls: [this.#crl], refreshHintMs };
    return this.alter?.(trust) ?? trust;
  }

  onTrust(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isGood(serial: string): boolean {
    return this.#known.get(serial)?.revoked === false;
  }

  own(): { readonly svid: IssuedSvid; readonly privateKey: KeyObject } {
    const { chain, serial, notAfter, privateKey } = this.#own;
    const svid = {
      spiffeId: this.id as SpiffeId,
      chain,
      serial: serial.toString(16),
      spkiSha256: '',
      notBeforeMs: 0,
      notAfterMs: notAfter.getTime(),
    };
    return { svid, privateKey };
  }

  /** The store knows it as revoked; the list too, unless it is said to lag behind. */
  revoke(serial: string, listed = true): void {
    const known = this.#known.get(serial);
    if (known !== undefined) known.revoked = true;
    if (listed) this.publish();
  }

  /** Makes a new list. */
  publish(): void {
    this.#crl = this.#list();
    this.#tell();
  }

  /** Signs with a new root from now on; the earlier ones are believed until `dropOldRoot`. */
  addRoot(): void {
    this.#roots.push(createAuthority({ trustDomain: this.trustDomain, subject: `Root ${this.#roots.length + 1}` }));
    this.renewOwn();
    this.publish();
  }

  dropOldRoot(): void {
    this.#roots = this.#roots.slice(1);
    this.#tell();
  }

  /** A new certificate for itself, or a wrong one. */
  renewOwn(options: CertificateOptions & { readonly id?: string } = {}): void {
    this.#own = this.#signer.issue({ id: this.id, notAfter: new Date(Date.now() + TEN_YEARS), ...options });
  }

  /** Shows what somebody else issued. */
  showAsOwn(issued: Issued): void {
    this.#own = issued;
  }

  #list(): Uint8Array {
    this.#crlNumber += 1n;
    const revoked = [...this.#known.values()].filter((one) => one.revoked).map((one) => one.serial);
    return this.#signer.crl({ revoked, number: this.#crlNumber, thisUpdate: new Date(Date.now() - 1_000) }).der;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #idOf(attestation: Attestation): string | undefined {
    switch (attestation.kind) {
      case 'join-token': {
        const id = this.tokens.get(attestation.token);
        this.tokens.delete(attestation.token);
        return id;
      }
      case 'kubernetes':
        return `spiffe://${this.trustDomain}/ns/${attestation.namespace}/sa/${attestation.serviceAccount}`;
      case 'certificate':
        return this.#known.get(attestation.serial)?.id === attestation.spiffeId ? attestation.spiffeId : undefined;
      case 'workload':
      case 'operator':
        return undefined;
      default:
        return attestation satisfies never;
    }
  }
}
