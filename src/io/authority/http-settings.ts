import type { Clock, Timer } from '../../core/kernel/clock.ts';
import type { TrustDocument } from '../../core/model/svid.ts';
import type { IssuingAuthority } from './issuing-authority.ts';
import type { Rate } from './rate-limit.ts';
import type { ServiceAccountJudge } from './service-account-judge.ts';

/** Where to listen; port 0 asks the system for a free one. */
export type ServiceAddress = { readonly host: string; readonly port: number };

/** Bounds on everything that a caller of the service can influence. Bytes; milliseconds. */
export type ServiceLimits = {
  /** Open connections; more are closed at once. Each serves one request. Default 4,096. */
  readonly connections: number;
  /** Of these, for one source address (IPv6: one /64). A node behind address translation is one source. Default 256. */
  readonly connectionsPerSource: number;
  /** For the TLS handshake. Default 5,000. */
  readonly handshakeTimeoutMs: number;
  /** From the end of the handshake to the end of the head; from there to the end of the body. Default 5,000 and 10,000. */
  readonly headTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** For the caller to take its answer. Default 10,000. */
  readonly answerTimeoutMs: number;
  /** Default 8,192 and 65,536. */
  readonly headBytes: number;
  readonly bodyBytes: number;
  /**
   * Long polls that wait at once, in all and for one source; more are answered at once with what there is. Default, and most: three quarters of the
   * connections, so that those who only wait never keep out those who renew.
   */
  readonly waiters: number;
  readonly waitersPerSource: number;
  /** Longest wait of a long poll. Default 60,000. */
  readonly waitMs: number;
  /** Requests for certificates that are being worked on; more are told to come back. Strangers get no more than three quarters. Default 64. */
  readonly issuing: number;
  /** POSTs of one source that showed no good certificate. Default 5 a second, 20 at once. */
  readonly strangers: Rate;
  /** POSTs of one ID, proven by a good certificate. All replicas of a workload share one. Default 1 a second, 60 at once. */
  readonly members: Rate;
  /** GETs of one source. Default 20 a second, 100 at once. */
  readonly reads: Rate;
  /** What a refused POST counts for, where one that went well counts 1. Default 5. */
  readonly failureCost: number;
  /** Sources, and IDs, that are remembered at once. Default 16,384. */
  readonly keys: number;
};

const DEFAULT_SERVICE_LIMITS: ServiceLimits = Object.freeze({
  connections: 4_096,
  connectionsPerSource: 256,
  handshakeTimeoutMs: 5_000,
  headTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  answerTimeoutMs: 10_000,
  headBytes: 8_192,
  bodyBytes: 65_536,
  waiters: 3_072,
  waitersPerSource: 192,
  waitMs: 60_000,
  issuing: 64,
  strangers: { perSecond: 5, burst: 20 },
  members: { perSecond: 1, burst: 60 },
  reads: { perSecond: 20, burst: 100 },
  failureCost: 5,
  keys: 16_384,
});

/** All limits, from those that were set. */
export function serviceLimits(set: Partial<ServiceLimits> = {}): ServiceLimits {
  const limits = { ...DEFAULT_SERVICE_LIMITS, ...set };
  return {
    ...limits,
    waiters: Math.min(limits.waiters, mostOf(limits.connections)),
    waitersPerSource: Math.min(limits.waitersPerSource, mostOf(limits.connectionsPerSource)),
  };
}

/** What may be used by those who can wait, or have proven nothing: the rest stays free for the others. */
export function mostOf(limit: number): number {
  return Math.floor((limit * 3) / 4);
}

export type ServiceSettings = {
  readonly listen: ServiceAddress;
  /** Also serve `GET /v1/crl`, and nothing else, over plain HTTP: a CRL is signed and public (RFC 5280 8). */
  readonly crlListen?: ServiceAddress | undefined;
  readonly limits?: Partial<ServiceLimits> | undefined;
};

export type ServiceDeps = {
  /** Started before the service is, and stopped after it. */
  readonly authority: Pick<
    IssuingAuthority,
    'issue' | 'noteRefusal' | 'trust' | 'onTrust' | 'isGood' | 'own' | 'trustDomain'
  >;
  /** Judge of service account tokens; without it the method `kubernetes` is refused. */
  readonly reviewer?: ServiceAccountJudge | undefined;
  /** The SPIFFE bundle (JWKS) of what is believed. */
  readonly formatBundle: (trust: TrustDocument) => string;
  readonly clock: Clock;
  /** Runs `action` once after `ms` milliseconds; the function it returns cancels it. */
  readonly timer: Timer;
  readonly log: ServiceLog;
};

export type ServiceLog = Readonly<
  Record<'info' | 'warn' | 'error', (fields: Readonly<Record<string, unknown>>, message: string) => void>
>;
