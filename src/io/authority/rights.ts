import { parseSpiffeId } from '../../core/identity/spiffe-id.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { livingCertificate } from './certificate-rows.ts';
import { tokenHash, tokenLabel } from './join-token.ts';
import { podOf } from './pod-rows.ts';
import { isBarred } from './revocation-rows.ts';
import { tokenOf } from './token-rows.ts';

import type { DatabaseSync } from 'node:sqlite';
import type { SpiffeId, TrustDomain } from '../../core/kernel/brand.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { Attestation, IssuanceFault } from '../../core/model/svid.ts';
import type { Caller } from './issuance-record.ts';

/** Which IDs callers of each kind may have. */
export type RightsSettings = {
  readonly trustDomain: TrustDomain;
  /** The authority's own ID: nobody gets it. */
  readonly ownId: SpiffeId;
  /** Undefined: nobody enrols by a service account. */
  readonly kubernetes:
    | {
        /** The ID of a service account, with `{namespace}` and `{serviceAccount}` in it. */
        readonly template: string;
        /** Service accounts by namespace; `*` is any, of either. */
        readonly namespaces: Readonly<Record<string, readonly string[]>>;
      }
    | undefined;
  /** IDs that callers of the local Workload API may have. */
  readonly workloads: readonly SpiffeId[];
};

/** A right that was found to be there. */
export type Right = {
  readonly spiffeId: SpiffeId;
  /** As in `StoredCertificate`. */
  readonly bearer: string | undefined;
  /** Hash of the join token to be used up with the issue. */
  readonly tokenHash: string | undefined;
};

type Kubernetes = Extract<Attestation, { readonly kind: 'kubernetes' }>;

/**
 * Whether the caller may have a certificate, and for which ID: a join token gives its own, a certificate that is known, not revoked and not
 * ended gives its own again, a service account gives the one of the template, a local workload one of those that are configured, an operator
 * the one that he says. Asked before anything is signed, and once more in the transaction that stores. Faults: `caller_refused`, `id_refused`.
 */
export function rightOf(
  database: DatabaseSync,
  attestation: Attestation,
  settings: RightsSettings,
  atMs: number,
): Result<Right, IssuanceFault> {
  const right = claimOf(database, attestation, settings, atMs);
  if (!right.ok) return right;
  const { spiffeId, bearer } = right.value;
  const wrong = ownProblem(spiffeId, settings);
  if (wrong !== undefined) return refused('id_refused', wrong);
  if (bearer !== undefined && isWithdrawn(database, bearer, spiffeId, settings))
    return refused('caller_refused', `${bearer} is configured no more`);
  if (isBarred(database, 'id', spiffeId)) return refused('id_refused', `${spiffeId} is barred`);
  // An account or workload may be many, whose other certificates are as good as they were; a pod is one.
  const holds = attestation.kind !== 'certificate' || bearer?.startsWith('pod:') === true;
  const mayAskAgain = !holds || bearer === undefined || !isBarred(database, 'bearer', bearer);
  return mayAskAgain ? right : refused('caller_refused', `${bearer} is barred since a certificate of it was revoked`);
}

/** Who asks, for the log. A token is named by the beginning of its hash. */
export function callerOf(attestation: Attestation, source: string): Caller {
  const { kind: method } = attestation;
  switch (attestation.kind) {
    case 'join-token': {
      const hash = tokenHash(attestation.token);
      return { method, source, token: hash && tokenLabel(hash) };
    }
    case 'kubernetes': {
      const { namespace, serviceAccount, pod } = attestation;
      return { method, source, serviceAccount: `${namespace}/${serviceAccount}`, pod };
    }
    case 'certificate':
      return { method, source, renews: attestation.serial };
    case 'workload':
    case 'operator':
      return { method, source };
    default:
      return attestation satisfies never;
  }
}

function claimOf(
  database: DatabaseSync,
  attestation: Attestation,
  settings: RightsSettings,
  atMs: number,
): Result<Right, IssuanceFault> {
  switch (attestation.kind) {
    case 'join-token':
      return byToken(database, attestation.token, atMs);
    case 'certificate':
      return byCertificate(database, attestation, atMs);
    case 'kubernetes':
      return byServiceAccount(attestation, settings);
    case 'workload': {
      const { spiffeId } = attestation;
      if (!settings.workloads.includes(spiffeId))
        return refused('id_refused', `${spiffeId} is none of the local workloads`);
      return ok({ spiffeId, bearer: `workload:${spiffeId}`, tokenHash: undefined });
    }
    case 'operator':
      // No bearer: nobody asks again by itself, and whoever lifts bars may issue beside them.
      return ok({ spiffeId: attestation.spiffeId, bearer: undefined, tokenHash: undefined });
    default:
      return attestation satisfies never;
  }
}

function byToken(database: DatabaseSync, token: string, atMs: number): Result<Right, IssuanceFault> {
  const hash = tokenHash(token);
  const stored = hash === undefined ? undefined : tokenOf(database, hash);
  if (hash === undefined || stored === undefined) return refused('caller_refused', 'the join token is not known');
  if (stored.state === 'used') return refused('caller_refused', 'the join token was used before');
  if (stored.state === 'void') return refused('caller_refused', 'the join token was made void');
  if (atMs >= stored.expiresMs) return refused('caller_refused', 'the join token has expired');
  const id = parseSpiffeId(stored.spiffeId);
  if (!id.ok) return refused('id_refused', id.error.detail);
  return ok({ spiffeId: id.value.id, bearer: undefined, tokenHash: hash });
}

function byCertificate(
  database: DatabaseSync,
  shown: { readonly spiffeId: SpiffeId; readonly serial: string },
  atMs: number,
): Result<Right, IssuanceFault> {
  const stored = livingCertificate(database, shown.serial, atMs);
  if (stored === undefined)
    return refused('caller_refused', `certificate ${shown.serial} is unknown, revoked or has ended`);
  if (stored.spiffeId !== shown.spiffeId) {
    return refused('caller_refused', `certificate ${shown.serial} is that of ${stored.spiffeId}`);
  }
  return ok({ spiffeId: shown.spiffeId, bearer: stored.bearer, tokenHash: undefined });
}

/**
 * What Kubernetes allows in names of service accounts (RFC 1123 subdomain) and of namespaces (label), so that nothing else gets into the ID, and a dot
 * in a template tells the two apart.
 */
const KUBE_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

function byServiceAccount(
  account: Kubernetes,
  { kubernetes, trustDomain }: RightsSettings,
): Result<Right, IssuanceFault> {
  const { namespace, serviceAccount, pod } = account;
  if (kubernetes === undefined) return refused('caller_refused', 'nobody enrols by a service account here');
  if (!KUBE_NAME.test(namespace) || namespace.includes('.') || !KUBE_NAME.test(serviceAccount)) {
    return refused('caller_refused', 'no names of a namespace and a service account');
  }
  if (!isListed(kubernetes.namespaces, namespace, serviceAccount)) {
    return refused('id_refused', `${namespace}/${serviceAccount} is none of the service accounts that may enrol`);
  }
  const text = kubernetes.template.replaceAll('{namespace}', namespace).replaceAll('{serviceAccount}', serviceAccount);
  const id = parseSpiffeId(text);
  if (!id.ok) return refused('id_refused', id.error.detail);
  if (id.value.trustDomain !== trustDomain) return refused('id_refused', `${text} is not of ${trustDomain}`);
  const bearer = pod === undefined ? `account:${namespace}/${serviceAccount}` : `pod:${pod.uid}`;
  return ok({ spiffeId: id.value.id, bearer, tokenHash: undefined });
}

/**
 * True where the configuration does not give any more what the first certificate of a renewed one was given for: otherwise who was let in once would
 * renew for ever. A pod goes with its service account; one that was never compared with the API server, of which nothing but the UID is known, with all of them.
 */
function isWithdrawn(
  database: DatabaseSync,
  bearer: string,
  spiffeId: SpiffeId,
  { workloads, kubernetes }: RightsSettings,
): boolean {
  const [kind, name = ''] = bearer.split(/:(.*)/s, 2);
  if (kind === 'workload') return !workloads.includes(spiffeId);
  if (kubernetes === undefined) return true;
  const pod = kind === 'pod' ? podOf(database, name) : undefined;
  if (pod !== undefined) return !isListed(kubernetes.namespaces, pod.namespace, pod.serviceAccount);
  const [namespace = '', account = ''] = name.split('/');
  return kind === 'account' && !isListed(kubernetes.namespaces, namespace, account);
}

function isListed(
  namespaces: Readonly<Record<string, readonly string[]>>,
  namespace: string,
  account: string,
): boolean {
  return [namespace, '*'].some((name) => {
    const accounts = Object.hasOwn(namespaces, name) ? (namespaces[name] ?? []) : [];
    return accounts.includes(account) || accounts.includes('*');
  });
}

function ownProblem(spiffeId: SpiffeId, { ownId }: RightsSettings): string | undefined {
  return spiffeId === ownId ? `${spiffeId} is the authority's own ID` : undefined;
}

function refused(kind: IssuanceFault['kind'], detail: string): Result<never, IssuanceFault> {
  return err({ kind, detail });
}
