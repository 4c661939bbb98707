import { readCsr } from '../../src/core/issuance/csr.ts';
import { err, ok } from '../../src/core/kernel/result.ts';

import type { TrustDomain } from '../../src/core/kernel/brand.ts';
import type { Result } from '../../src/core/kernel/result.ts';
import type { TrustDocument } from '../../src/core/model/svid.ts';
import type { AuthorityClient, ClientFault, Enrolled, OwnPart } from '../../src/io/sources/identity-part.ts';
import type { Authority, LeafOptions } from './pki.ts';

/** One request for a certificate. */
export type CertificateAsk = {
  readonly kind: 'enrol' | 'renew';
  /** The key that the request is for. */
  readonly spki: Uint8Array;
  /** With what a renewal proves itself. */
  readonly current: OwnPart | undefined;
};

export type Answer = Result<Enrolled, ClientFault>;

/** One question about trust, until it is answered. */
export type TrustAsk = {
  readonly revision: string | undefined;
  readonly waitMs: number;
  readonly answer: (answer: Result<TrustDocument | 'unchanged', ClientFault>) => void;
};

/** An authority behind its client, whose answers the test gives: honest ones from a PKI, or any lie. */
export interface ScriptedAuthority extends AuthorityClient {
  /** How requests for certificates are answered from now on. */
  respond: (ask: CertificateAsk) => Answer | Promise<Answer>;
  /** All requests for certificates so far. */
  readonly asks: readonly CertificateAsk[];
  /** Resolves when so many requests for certificates were answered in all. */
  answered(count: number): Promise<void>;
  /** The question about trust that waits; undefined where none does. */
  readonly trustAsk: TrustAsk | undefined;
  readonly trustAsks: number;
  /** What the authority is checked with now. */
  readonly roots: readonly Uint8Array[];
  readonly isStopped: boolean;
}

export function createScriptedAuthority(): ScriptedAuthority {
  const asks: CertificateAsk[] = [];
  const waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  let answers = 0;
  let trustAsks = 0;
  let trustAsk: TrustAsk | undefined;
  let roots: readonly Uint8Array[] = [];
  let isStopped = false;
  const certify = async (kind: CertificateAsk['kind'], csr: Uint8Array, current?: OwnPart): Promise<Answer> => {
    const read = readCsr(csr);
    if (!read.ok) throw new Error(read.error.detail);
    const ask = { kind, spki: read.value.spki, current };
    asks.push(ask);
    const answer = await authority.respond(ask);
    answers += 1;
    // Once the caller has taken it.
    setImmediate(() => {
      for (const { count, resolve } of waiters) if (count <= answers) resolve();
    });
    return answer;
  };
  const authority: ScriptedAuthority = {
    respond: () => unavailable('nobody is there'),
    asks,
    answered: (count) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiters.push({ count, resolve });
      if (answers >= count) setImmediate(resolve);
      return promise;
    },
    get trustAsk() {
      return trustAsk;
    },
    get trustAsks() {
      return trustAsks;
    },
    get roots() {
      return roots;
    },
    get isStopped() {
      return isStopped;
    },
    enrol: (csr) => certify('enrol', csr),
    renew: (csr, current) => certify('renew', csr, current),
    trust: (revision, waitMs) => {
      if (trustAsk !== undefined) throw new Error('two questions about trust at once');
      trustAsks += 1;
      return new Promise((resolve) => {
        trustAsk = {
          revision,
          waitMs,
          answer: (answer) => {
            trustAsk = undefined;
            resolve(answer);
          },
        };
      });
    },
    trustRoots: (bundle) => {
      roots = bundle;
    },
    stop: () => {
      isStopped = true;
      return Promise.resolve();
    },
  };
  return authority;
}

/** A trust document with the roots of these authorities. */
export function trustOf(
  revision: string,
  authorities: readonly Authority[],
  crls: readonly Uint8Array[] = [],
): TrustDocument {
  const bundles = new Map<TrustDomain, readonly Uint8Array[]>();
  for (const { trustDomain, bundle } of authorities) {
    const domain = trustDomain as TrustDomain;
    bundles.set(domain, [...(bundles.get(domain) ?? []), ...bundle]);
  }
  return { revision, bundles, crls, refreshHintMs: undefined };
}

/** An answer with a certificate for the key that was asked for, unless `leaf` says otherwise. */
export function certified(
  ask: CertificateAsk,
  authority: Authority,
  { leaf, ...answer }: { readonly leaf?: LeafOptions } & Partial<Enrolled> = {},
): Answer {
  const id = leaf?.id ?? `spiffe://${authority.trustDomain}/agent`;
  const { chain } = authority.issue({ rawSpki: ask.spki, ...leaf });
  return ok({ spiffeId: id, chain, trust: trustOf('1', [authority]), ...answer });
}

export function unavailable(detail: string, retryAfterMs?: number): Answer {
  return err({ kind: 'unavailable', detail, retryAfterMs });
}

export function refused(detail: string): Answer {
  return err({ kind: 'refused', detail });
}
