import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

import { readPresentedChain } from '../../core/identity/presented-chain.ts';
import { createTrustStore, type TrustStore } from '../../core/identity/trust-store.ts';
import { createVerdictCache } from '../../core/identity/verdict-cache.ts';
import type { SpiffeId } from '../../core/kernel/brand.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import type { ServiceDeps } from './http-settings.ts';

/** What a caller's certificate proves. */
export type ClientCertificate =
  | { readonly kind: 'none' }
  /** It is ours and good: it keeps the rules by which peers are judged, and the store knows it as neither ended nor revoked. */
  | { readonly kind: 'good'; readonly spiffeId: SpiffeId; readonly serial: string }
  | { readonly kind: 'bad'; readonly detail: string };

/** Leaves whose verdict is remembered. */
const MAX_VERDICTS = 1_024;

/**
 * Makes the judge of client certificates: identity's rules with our own domain's roots and lists as they stand, and the store. What OpenSSL says is
 * required besides, never instead. Members of other domains whom we may believe are not ours to renew.
 */
export function createClientJudge(
  deps: Pick<ServiceDeps, 'authority' | 'clock' | 'log'>,
): (socket: Socket) => ClientCertificate {
  const { authority, clock } = deps;
  const verdicts = createVerdictCache(MAX_VERDICTS, { purpose: 'client', requireCrl: false });
  let known: { readonly revision: string; readonly store: TrustStore | undefined } | undefined;

  function store(): TrustStore | undefined {
    const trust = authority.trust();
    if (known?.revision !== trust.revision) known = { revision: trust.revision, store: storeOf(trust) };
    return known.store;
  }

  /** Nobody is believed where our own trust cannot be read. */
  function storeOf({ bundles, crls }: TrustDocument): TrustStore | undefined {
    const { trustDomain } = authority;
    const made = createTrustStore(new Map([[trustDomain, bundles.get(trustDomain) ?? []]]), crls);
    if (made.ok) return made.value;
    deps.log.error({ problems: made.error }, 'no client certificate can be judged: our own trust cannot be read');
    return undefined;
  }

  return (socket) => {
    if (!(socket instanceof TLSSocket)) return { kind: 'none' };
    const presented = readPresentedChain(socket);
    if (!presented.ok) return bad('the certificate cannot be read');
    const { chain, authorized, authorizationError } = presented.value;
    if (chain.length === 0) return { kind: 'none' };
    const trust = store();
    if (trust === undefined) return bad('our own trust cannot be read');
    const peer = verdicts.judge(chain, trust, clock.wallMs());
    if (peer.kind !== 'identified') return bad(`${peer.fault.code}: ${peer.fault.detail}`);
    if (!authorized) return bad(`refused by TLS: ${authorizationError ?? 'no reason given'}`);
    const { serial } = peer.certificate;
    if (!authority.isGood(serial))
      return bad(`certificate ${serial} of ${peer.spiffeId} is revoked, ended or not ours`);
    return { kind: 'good', spiffeId: peer.spiffeId, serial };
  };
}

function bad(detail: string): ClientCertificate {
  return { kind: 'bad', detail };
}
