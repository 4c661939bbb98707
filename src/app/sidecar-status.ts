import type { Config } from '../core/config/config.ts';
import type { Endpoint } from '../core/model/connection.ts';
import type { Policy } from '../core/model/policy.ts';
import type { Problems } from '../io/sources/problem.ts';

/** A policy as `/status` tells of it. */
export type PolicyStatus = {
  /** Of the bundle in force; undefined while there is none. */
  readonly revision: string | undefined;
  readonly decision: string;
  readonly problem?: string | undefined;
};

/** What a sidecar says of itself at `/status`, for people and `sallyport kube status`. No secrets. */
export type SidecarStatus = {
  readonly mode: 'enforce' | 'shadow';
  /** Identity and policy have been there, and the listeners are open. */
  readonly started: boolean;
  readonly draining: boolean;
  readonly identity: {
    readonly source: Config['identity']['source'];
    readonly id: string | undefined;
    /** RFC 3339. */
    readonly notAfter: string | undefined;
  };
  readonly policy: PolicyStatus & { readonly candidate?: PolicyStatus | undefined };
  /** Threads that serve, where there are several. */
  readonly workers?: { readonly configured: number; readonly serving: number; readonly ended: number };
  readonly listeners: { readonly inbound: readonly string[]; readonly outbound: readonly string[] };
  /** What is wrong with the newest content of anything that is followed, each with what it is of. */
  readonly problems: readonly string[];
};

/** What is followed: its value now, and what is wrong with its newest content. */
type Part<T> = { readonly current: T | undefined; readonly problem: Problems | undefined };

/** What the status is told from. */
export type StatusParts = {
  readonly config: Config;
  readonly started: boolean;
  readonly draining: boolean;
  readonly identity: Part<{ readonly own: { readonly spiffeId: string; readonly validUntilMs: number } }>;
  readonly policy: Part<{ readonly policy: Policy }>;
  readonly candidate: Part<{ readonly policy: Policy }> | undefined;
  readonly bound: { readonly inbound: readonly Endpoint[]; readonly outbound: readonly Endpoint[] } | undefined;
  readonly workers?: SidecarStatus['workers'] | undefined;
};

/** Tells it. */
export function sidecarStatus(parts: StatusParts): SidecarStatus {
  const { config, started, draining, identity, policy, candidate, bound, workers } = parts;
  const own = identity.current?.own;
  const notAfter = own && new Date(own.validUntilMs).toISOString();
  const onTrial = candidate && policyStatus(candidate, config.policy.candidate?.decision ?? config.policy.decision);
  return {
    mode: config.policy.mode,
    started,
    draining,
    identity: { source: config.identity.source, id: own?.spiffeId, notAfter },
    policy: { ...policyStatus(policy, config.policy.decision), ...(onTrial && { candidate: onTrial }) },
    ...(workers && {
      workers: { configured: workers.configured, serving: workers.serving, ended: workers.ended },
    }),
    listeners: { inbound: bound?.inbound.map(shown) ?? [], outbound: bound?.outbound.map(shown) ?? [] },
    problems: [
      ...named('identity', identity.problem),
      ...named('policy', policy.problem),
      ...named('candidate', candidate?.problem),
    ],
  };
}

function policyStatus({ current, problem }: Part<{ readonly policy: Policy }>, decision: string): PolicyStatus {
  const revisions = Object.values(current?.policy.bundles ?? {}).map(({ revision }) => revision);
  return {
    revision: current === undefined ? undefined : revisions.join(','),
    decision,
    ...(problem?.[0] !== undefined && { problem: problem[0] }),
  };
}

function named(part: string, problems: Problems | undefined): readonly string[] {
  return (problems ?? []).map((problem) => `${part}: ${problem}`);
}

function shown({ address, port }: Endpoint): string {
  if (port === 0) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
