import { parseSpiffeId } from '../../core/identity/spiffe-id.ts';
import { err } from '../../core/kernel/result.ts';
import { domainOf } from './ca-files.ts';
import { createIssuer } from './issuer.ts';
import { usualOwnId } from './own-svid.ts';
import { createRecordKeeper } from './record-keeper.ts';
import { createSignerDesk } from './signer-desk.ts';

import type { IssuedSvid } from '../../core/issuance/svid.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { IssuingLimits } from './issuing-authority.ts';
import type { CaDeps } from './issuing-ca.ts';

/** What an operator asks for. */
export type OperatorRequest = {
  readonly id: string;
  /** Milliseconds; refused where the issuing CA ends before. */
  readonly ttlMs: number;
  readonly dnsNames?: readonly string[] | undefined;
  readonly ipAddresses?: readonly string[] | undefined;
  /** Where the issuing key is, if not where it was written. */
  readonly issuingKey?: string | undefined;
};

/** Nobody is kept from his own folder. */
const NO_LIMITS: IssuingLimits = { takeSource: () => true, takeId: () => true };

/**
 * Issues a certificate to the operator, the way the authority at work does (`createIssuer`): request, right, certificate, store, record, in this
 * order, and the record is in the log when it returns. May be done while an authority runs on the folder, which knows the certificate from then on.
 * The error is for the operator.
 */
export async function issueToOperator(
  store: AuthorityStore,
  wanted: OperatorRequest,
  csr: Uint8Array,
  deps: CaDeps,
): Promise<Result<IssuedSvid, string>> {
  const { id, ttlMs, dnsNames = [], ipAddresses = [], issuingKey } = wanted;
  const trustDomain = domainOf(store);
  if (!trustDomain.ok) return trustDomain;
  const spiffeId = parseSpiffeId(id);
  if (!spiffeId.ok) return err(spiffeId.error.detail);
  const desk = createSignerDesk(store, { trustDomain: trustDomain.value, issuingKey }, deps.openKey);
  const problems = await desk.refresh(deps.clock.wallMs());
  if (desk.active === undefined) return err(`nothing can be issued: ${problems.join('; ')}`);
  const records = createRecordKeeper(store, deps.clock);
  const rights = {
    trustDomain: trustDomain.value,
    ownId: usualOwnId(trustDomain.value),
    kubernetes: undefined,
    workloads: [],
  };
  const { clock, random } = deps;
  const parts = { store, records, desk, limits: NO_LIMITS, clock, random, pods: undefined };
  const issuer = createIssuer({ rights, leafTtlMs: ttlMs, dnsNames: [] }, parts);
  const attestation = { kind: 'operator', spiffeId: spiffeId.value.id, ttlMs, dnsNames, ipAddresses } as const;
  const issued = await issuer.issue(attestation, csr, '');
  // What is not in the file yet is safe in the database: whoever writes next moves it.
  records.move();
  return issued.ok ? issued : err(issued.error.detail);
}
