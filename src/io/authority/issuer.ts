import { readCsr } from '../../core/issuance/csr.ts';
import { newSerial } from '../../core/issuance/deps.ts';
import { issueSvid } from '../../core/issuance/svid.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { insertCertificate } from './certificate-rows.ts';
import { putPod } from './pod-rows.ts';
import { insertRenewal } from './renewal-rows.ts';
import { isBarred } from './revocation-rows.ts';
import { callerOf, rightOf } from './rights.ts';
import { isRevokedSigner } from './signer-rows.ts';
import { useToken } from './token-rows.ts';

import type { DatabaseSync } from 'node:sqlite';
import type { CertificateRequest } from '../../core/issuance/csr.ts';
import type { IssuanceDeps } from '../../core/issuance/deps.ts';
import type { IssuedSvid, SvidRequest } from '../../core/issuance/svid.ts';
import type { SpiffeId } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Attestation, IssuanceFault } from '../../core/model/svid.ts';
import type { AuthorityStore, Transaction } from './authority-store.ts';
import type { Caller } from './issuance-record.ts';
import type { IssuingLimits } from './issuing-authority.ts';
import type { PodKeeper } from './pod-keeper.ts';
import type { ProvenPod } from './pod-rows.ts';
import type { RecordKeeper } from './record-keeper.ts';
import type { Right, RightsSettings } from './rights.ts';
import type { OpenedSigner, SignerDesk } from './signer-desk.ts';

export type IssuerSettings = {
  readonly rights: RightsSettings;
  /** Life of what is issued, milliseconds. */
  readonly leafTtlMs: number;
  /** Names beside its ID in the authority's own certificate. */
  readonly dnsNames: readonly string[];
};

export type IssuerDeps = IssuanceDeps & {
  readonly store: AuthorityStore;
  readonly records: RecordKeeper;
  readonly desk: SignerDesk;
  readonly limits: IssuingLimits;
  /** Asked at the renewal of a pod's certificate; undefined: nobody is asked. */
  readonly pods: PodKeeper | undefined;
};

/** The path from a request to a certificate that is stored and written down. */
export interface Issuer {
  issue(attestation: Attestation, csr: Uint8Array, source: string): Promise<Result<IssuedSvid, IssuanceFault>>;
  /** Writes down that a caller was refused before it could ask for a certificate, within the limits of its source. */
  noteRefusal(caller: Caller, fault: IssuanceFault): Promise<void>;
  /** Issues the authority's own certificate. */
  issueOwn(csr: Uint8Array): Promise<Result<IssuedSvid, IssuanceFault>>;
}

export function createIssuer(settings: IssuerSettings, deps: IssuerDeps): Issuer {
  return new StoringIssuer(settings, deps);
}

/** A refusal, with the ID as far as it was found out. */
type Refusal = { readonly fault: IssuanceFault; readonly spiffeId: SpiffeId | undefined };

/** Who is to get a certificate, for which key. `attestation` is undefined for the authority itself. */
type Claim = {
  readonly caller: Caller;
  readonly attestation: Attestation | undefined;
  readonly right: Right;
  readonly request: CertificateRequest;
  /** What the API server has just said of the caller's pod. */
  readonly pod?: ProvenPod | undefined;
};

type Signed = { readonly svid: IssuedSvid; readonly signer: number };

class StoringIssuer implements Issuer {
  readonly #settings: IssuerSettings;
  readonly #deps: IssuerDeps;

  constructor(settings: IssuerSettings, deps: IssuerDeps) {
    this.#settings = settings;
    this.#deps = deps;
  }

  async issue(attestation: Attestation, csr: Uint8Array, source: string): Promise<Result<IssuedSvid, IssuanceFault>> {
    const caller = callerOf(attestation, source);
    const claim = this.#admit(attestation, csr, caller);
    if (!claim.ok) return this.#refuse(caller, claim.error);
    const pod = await this.#podOf(attestation, claim.value.right, source);
    const { spiffeId } = claim.value.right;
    if (!pod.ok) return this.#refuse(caller, { fault: pod.error, spiffeId });
    // Last: whoever holds a stolen key and has not the address that goes with it would use up what the pods of that ID renew with.
    if (this.#deps.limits.takeId(spiffeId)) return this.#grant({ ...claim.value, pod: pod.value });
    const fault: IssuanceFault = { kind: 'rate_limited', detail: `too many certificates for ${spiffeId}` };
    return this.#refuse(caller, { fault, spiffeId });
  }

  async noteRefusal(caller: Caller, fault: IssuanceFault): Promise<void> {
    const { limits, records } = this.#deps;
    if (records.hasRoom() && limits.takeSource(caller.source))
      await this.#refuse(caller, { fault, spiffeId: undefined });
  }

  /** What was proven of the pod that asks: just now by whoever judged its token, or here where it renews. */
  async #podOf(
    attestation: Attestation,
    { bearer }: Right,
    source: string,
  ): Promise<Result<ProvenPod | undefined, IssuanceFault>> {
    if (attestation.kind === 'certificate') return (await this.#deps.pods?.check(bearer, source)) ?? ok(undefined);
    if (attestation.kind !== 'kubernetes' || attestation.pod?.addresses === undefined) return ok(undefined);
    const { namespace, serviceAccount, pod } = attestation;
    const { name, uid, addresses = [] } = pod;
    return ok({ uid, namespace, name, serviceAccount, addresses, provenMs: this.#deps.clock.wallMs() });
  }

  async issueOwn(csr: Uint8Array): Promise<Result<IssuedSvid, IssuanceFault>> {
    const caller: Caller = { method: 'own', source: '' };
    const request = readCsr(csr);
    if (!request.ok) return this.#refuse(caller, { fault: request.error, spiffeId: undefined });
    const right = { spiffeId: this.#settings.rights.ownId, bearer: undefined, tokenHash: undefined };
    return this.#grant({ caller, attestation: undefined, right, request: request.value });
  }

  /** All that can be refused before anything is signed. */
  #admit(attestation: Attestation, csr: Uint8Array, caller: Caller): Result<Claim, Refusal> {
    const { limits, store, records, clock } = this.#deps;
    if (!records.hasRoom()) return refusal('store_unavailable', 'too many records wait for the log file');
    if (!limits.takeSource(caller.source)) return refusal('rate_limited', `too many requests of ${caller.source}`);
    const request = readCsr(csr);
    if (!request.ok) return err({ fault: request.error, spiffeId: undefined });
    const claim: Omit<Claim, 'right'> = { caller, attestation, request: request.value };
    const right = store.read((database) => this.#rightIn(database, claim, clock.wallMs()));
    if (!right.ok) return refusal('store_unavailable', right.error);
    if (!right.value.ok) return err({ fault: right.value.error, spiffeId: undefined });
    return ok({ ...claim, right: right.value.value });
  }

  /** The right of a claim as the store says now, and that its key may still be certified. */
  #rightIn(
    database: DatabaseSync,
    { attestation, request }: Omit<Claim, 'right'>,
    atMs: number,
  ): Result<Right, IssuanceFault> {
    const { rights } = this.#settings;
    const right: Result<Right, IssuanceFault> =
      attestation === undefined
        ? ok({ spiffeId: rights.ownId, bearer: undefined, tokenHash: undefined })
        : rightOf(database, attestation, rights, atMs);
    if (right.ok && isBarred(database, 'key', request.spkiSha256)) {
      return err({ kind: 'csr_key_refused', detail: `key ${request.spkiSha256} is barred` });
    }
    return right;
  }

  async #grant(claim: Claim): Promise<Result<IssuedSvid, IssuanceFault>> {
    const { caller, right } = claim;
    const signed = await this.#sign(claim);
    if (!signed.ok) return this.#refuse(caller, { fault: signed.error, spiffeId: right.spiffeId });
    const stored = this.#deps.records.write((transaction) => this.#storeIssued(transaction, claim, signed.value));
    if (!stored.ok) {
      const fault: IssuanceFault = { kind: 'store_unavailable', detail: stored.error };
      return this.#refuse(caller, { fault, spiffeId: right.spiffeId });
    }
    return stored.value === undefined ? ok(signed.value.svid) : err(stored.value);
  }

  async #sign({ right, request, attestation }: Claim): Promise<Result<Signed, IssuanceFault>> {
    const { desk, random } = this.#deps;
    const active: OpenedSigner | undefined = desk.active;
    if (active === undefined)
      return err({ kind: 'issuer_unavailable', detail: 'there is no issuing CA that can be used' });
    const { spiffeId } = right;
    const content = this.#contentFor(attestation);
    // A person is told; a caller that renews by itself gets what is left.
    if (attestation?.kind === 'operator' && this.#deps.clock.wallMs() + content.ttlMs > active.ca.notAfterMs) {
      const ends = new Date(active.ca.notAfterMs).toISOString();
      return err({ kind: 'lifetime_refused', detail: `the issuing CA itself ends at ${ends}` });
    }
    const wanted = { request, spiffeId, serial: newSerial(random), ...content };
    const svid = await issueSvid(active.ca, wanted, this.#deps);
    return svid.ok ? ok({ svid: svid.value, signer: active.signer }) : svid;
  }

  /** What the certificate says beside key, ID and serial. */
  #contentFor(attestation: Attestation | undefined): Pick<SvidRequest, 'ttlMs' | 'dnsNames' | 'ipAddresses'> {
    const { leafTtlMs: ttlMs, dnsNames } = this.#settings;
    if (attestation === undefined) return { ttlMs, dnsNames };
    if (attestation.kind !== 'operator') return { ttlMs };
    return { ttlMs: attestation.ttlMs, dnsNames: attestation.dnsNames, ipAddresses: attestation.ipAddresses };
  }

  /**
   * Asks for the right once more, since much may have happened while the CA signed, uses up the token, stores and writes down. What was signed and
   * is refused here is thrown away. Gives the fault.
   */
  #storeIssued({ database, record }: Transaction, claim: Claim, { svid, signer }: Signed): IssuanceFault | undefined {
    const { right, pod } = claim;
    const caller: Caller =
      pod === undefined ? claim.caller : { ...claim.caller, pod: { name: pod.name, uid: pod.uid } };
    const atMs = this.#deps.clock.wallMs();
    const { spiffeId, serial, spkiSha256, notBeforeMs, notAfterMs } = svid;
    const wrong = this.#whatChanged(database, claim, signer, atMs);
    if (wrong !== undefined) {
      record({ event: 'refused', atMs, caller, spiffeId, fault: wrong });
      return wrong;
    }
    const { bearer } = right;
    const certificate = { serial, signer, spiffeId, spkiSha256, how: caller.method, bearer, notBeforeMs, notAfterMs };
    insertCertificate(database, certificate, atMs);
    if (caller.renews !== undefined) insertRenewal(database, serial, caller.renews);
    if (pod !== undefined) putPod(database, pod);
    record({ event: 'issued', atMs, caller, spiffeId, serial, spkiSha256, notBeforeMs, notAfterMs });
    return undefined;
  }

  #whatChanged(database: DatabaseSync, claim: Claim, signer: number, atMs: number): IssuanceFault | undefined {
    const right = this.#rightIn(database, claim, atMs);
    if (!right.ok) return right.error;
    if (isRevokedSigner(database, signer)) {
      return { kind: 'issuer_unavailable', detail: 'the issuing CA was revoked, or its root retired, just now' };
    }
    const { tokenHash } = right.value;
    if (tokenHash === undefined || useToken(database, tokenHash)) return undefined;
    return { kind: 'caller_refused', detail: 'the join token was used before' };
  }

  async #refuse(caller: Caller, { fault, spiffeId }: Refusal): Promise<Result<never, IssuanceFault>> {
    await this.#deps.records.add({ event: 'refused', atMs: this.#deps.clock.wallMs(), caller, spiffeId, fault });
    return err(fault);
  }
}

function refusal(kind: IssuanceFault['kind'], detail: string): Result<never, Refusal> {
  return err({ fault: { kind, detail }, spiffeId: undefined });
}
