import { parseUniqueJson } from '../../core/bundle/unique-json.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { Attestation } from '../../core/model/svid.ts';

/** A caller whom the API server knows by its service account token. */
export type ServiceAccountCaller = Extract<Attestation, { kind: 'kubernetes' }>;

/** Why a token says nothing. `refused`: it is no good; `unavailable`: the API server could not be asked, or is not to be believed. Neither text holds anything of the token. */
export type ReviewFault = {
  readonly kind: 'refused' | 'unavailable';
  readonly detail: string;
  /** Stable name of the reason, for the log. Default `token_refused` or `review_unavailable`. */
  readonly reason?: string;
  /** Soonest time at which another question may go better, milliseconds. */
  readonly retryAfterMs?: number;
  /** Whose token it is, where that much was found out. */
  readonly caller?: ServiceAccountCaller;
};

const API_VERSION = 'authentication.k8s.io/v1';
const USER_PREFIX = 'system:serviceaccount:';
const ALL_ACCOUNTS = 'system:serviceaccounts';
const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';

/** RFC 1123 label, which is what a namespace is called by, and subdomain, which is what service accounts and pods are called by. */
const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
/** Kubernetes makes UUIDs and promises only a string; these end in logs. */
const UID = /^[A-Za-z0-9-]{1,128}$/;

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads the answer to a TokenReview (Kubernetes API, authentication.k8s.io/v1). Believed only where every field that says something is there and has
 * its type: authenticated, our audience (an API server that does not know audiences leaves them out, and then any token of its own would pass), a user
 * that is a service account by name and by groups, names by Kubernetes' own rules, since they become part of a SPIFFE ID. Fields that are unknown
 * here are passed over: the API grows.
 */
export function readTokenReview(text: string, audience: string): Result<ServiceAccountCaller, ReviewFault> {
  const parsed = parseUniqueJson(text);
  if (!parsed.ok) return unavailable('the answer is no JSON, or names a key twice');
  const review = objectOf(parsed.value);
  if (review?.['kind'] !== 'TokenReview' || review['apiVersion'] !== API_VERSION)
    return unavailable(`the answer is no TokenReview of ${API_VERSION}`);
  const status = objectOf(review['status']);
  if (status === undefined) return unavailable('the answer has no status');
  const { authenticated, error } = status as { authenticated?: unknown; error?: unknown };
  // Kubernetes leaves out what is false.
  if (authenticated === undefined || authenticated === false)
    return refused(
      typeof error === 'string' && error !== ''
        ? 'the API server could not check it'
        : 'the API server does not know it',
    );
  if (authenticated !== true) return unavailable('status.authenticated is no boolean');
  if (error !== undefined && error !== '') return unavailable('authenticated, and yet with an error');
  const audiences = textsOf(status['audiences']);
  if (audiences === undefined) return unavailable('status.audiences is missing or no list of texts');
  if (!audiences.includes(audience)) return refused('it is for another audience');
  const user = objectOf(status['user']);
  return user === undefined ? unavailable('status.user is missing') : readUser(user);
}

function readUser(user: Json): Result<ServiceAccountCaller, ReviewFault> {
  const { username } = user as { username?: unknown };
  const groups = textsOf(user['groups']);
  if (typeof username !== 'string') return unavailable('status.user.username is no text');
  if (groups === undefined) return unavailable('status.user.groups is missing or no list of texts');
  if (!username.startsWith(USER_PREFIX)) return refused('its user is no service account');
  const [namespace = '', serviceAccount = '', ...more] = username.slice(USER_PREFIX.length).split(':');
  if (more.length > 0 || !LABEL.test(namespace) || !SUBDOMAIN.test(serviceAccount))
    return refused("namespace or service account are not named by Kubernetes' rules");
  // Another authenticator of the API server may call its users what it likes; the groups are those of service accounts only.
  if (!groups.includes(ALL_ACCOUNTS) || !groups.includes(`${ALL_ACCOUNTS}:${namespace}`))
    return refused('its user has the name, but not the groups of a service account');
  const pod = readPod(user['extra']);
  return pod.ok ? ok({ kind: 'kubernetes', namespace, serviceAccount, pod: pod.value }) : pod;
}

/** The pod that a token is bound to; undefined for one that is bound to none (`kubectl create token`). */
function readPod(extra: unknown): Result<ServiceAccountCaller['pod'], ReviewFault> {
  if (extra === undefined) return ok(undefined);
  const all = objectOf(extra);
  if (all === undefined) return unavailable('status.user.extra is no object');
  if (all[POD_NAME] === undefined && all[POD_UID] === undefined) return ok(undefined);
  const [name, ...otherNames] = textsOf(all[POD_NAME]) ?? [];
  const [uid, ...otherUids] = textsOf(all[POD_UID]) ?? [];
  const isOne = name !== undefined && uid !== undefined && otherNames.length === 0 && otherUids.length === 0;
  if (!isOne || !SUBDOMAIN.test(name) || !UID.test(uid))
    return unavailable('status.user.extra does not name one pod with its UID');
  return ok({ name, uid });
}

function objectOf(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function textsOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : undefined;
}

function refused(detail: string): Result<never, ReviewFault> {
  return err({ kind: 'refused', detail: `service account token: ${detail}` });
}

function unavailable(detail: string): Result<never, ReviewFault> {
  return err({ kind: 'unavailable', detail: `TokenReview: ${detail}` });
}
