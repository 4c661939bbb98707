import { createCsr } from '../core/issuance/create-csr.ts';
import { generateKeyPair } from '../core/issuance/signing-key.ts';
import type { SpiffeId } from '../core/kernel/brand.ts';
import { err, ok } from '../core/kernel/result.ts';
import type { IssuanceFault } from '../core/model/svid.ts';
import type { IssuingAuthority } from '../io/authority/issuing-authority.ts';
import type { IssuerRefusal, WorkloadIssuer } from '../io/workload-api/issuer.ts';

/** What the log calls the local callers of the Workload API. */
const SOURCE = 'workload-api';

/** Faults that another question may not meet. */
const PASSING: ReadonlySet<IssuanceFault['kind']> = new Set([
  'rate_limited',
  'issuer_unavailable',
  'store_unavailable',
  'proof_unavailable',
]);

/** Lets the Workload API of an authority serve `identities`, each with a key made here for the caller. */
export function workloadIssuer(
  authority: Pick<IssuingAuthority, 'issue' | 'trust' | 'onTrust'>,
  identities: readonly { readonly spiffeId: SpiffeId; readonly hint: string }[],
): WorkloadIssuer {
  return {
    identities: () => identities,
    svid: async (spiffeId) => {
      const { privateKey, publicKey } = generateKeyPair('p256');
      const csr = await createCsr(privateKey, publicKey);
      const issued = await authority.issue({ kind: 'workload', spiffeId }, csr, SOURCE);
      if (!issued.ok) return err(refusalOf(issued.error));
      const { chain, notAfterMs } = issued.value;
      return ok({ chain, privateKey, notAfterMs });
    },
    trust: () => authority.trust(),
    onTrust: (listener) => authority.onTrust(listener),
  };
}

function refusalOf({ kind, detail }: IssuanceFault): IssuerRefusal {
  return { kind: PASSING.has(kind) ? 'unavailable' : 'refused', detail: `${kind}: ${detail}` };
}
