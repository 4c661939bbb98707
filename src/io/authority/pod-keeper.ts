import { err, ok } from '../../core/kernel/result.ts';
import { podOf } from './pod-rows.ts';
import { holdsAddress, renewalFault } from './pod-rules.ts';

import type { Clock } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { IssuanceFault } from '../../core/model/svid.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { PodFacts } from './pod-answer.ts';
import type { PodDirectory } from './pod-directory.ts';
import type { PodFault } from './pod-rules.ts';
import type { ProvenPod } from './pod-rows.ts';

export type PodKeeperSettings = {
  /** Whether a renewal must come from an address of its pod. */
  readonly isAddressed: boolean;
  /** How long after the last proof a pod's certificate is renewed while the API server cannot be asked, milliseconds. */
  readonly outageMs: number;
};

/** Ends the renewals of pods that are gone. */
export interface PodKeeper {
  /**
   * Whether the bearer of a certificate may go on with it. Gives what was proven, to be stored with the next certificate; undefined for a bearer
   * that is no part of the cluster, and for a pod that goes on by what was proven before. Faults: `caller_refused`, `proof_unavailable`, `store_unavailable`.
   */
  check(bearer: string | undefined, source: string): Promise<Result<ProvenPod | undefined, IssuanceFault>>;
  /** Why the API server could not be asked the last time, or undefined. */
  readonly problem: string | undefined;
  /** Renewals that went on without it, since start. */
  readonly unproven: number;
}

const POD = 'pod:';
const ACCOUNT = 'account:';
/** That a pod may go on is remembered this long, milliseconds, so that one which asks again and again costs the API server no more. */
const FRESH_MS = 5_000;
/** Pods that are remembered for that. */
const MAX_FRESH = 4_096;

/**
 * Creates the keeper. A pod's certificate is renewed only while the API server says that the pod is there, with the same UID and service account and not
 * finished, to whoever asks from its address. While the API server is away the last proof counts, for `outageMs`, so that an outage takes no
 * identity away at once, and neither does it let a pod that is gone go on for ever.
 */
export function createPodKeeper(
  settings: PodKeeperSettings,
  deps: {
    readonly pods: PodDirectory;
    readonly store: Pick<AuthorityStore, 'read'>;
    readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  },
): PodKeeper {
  return new Keeper(settings, deps);
}

class Keeper implements PodKeeper {
  readonly #settings: PodKeeperSettings;
  readonly #deps: Parameters<typeof createPodKeeper>[1];
  readonly #fresh = new Map<string, { readonly pod: PodFacts | undefined; readonly untilMs: number }>();
  problem: string | undefined = undefined;
  unproven = 0;

  constructor(settings: PodKeeperSettings, deps: Parameters<typeof createPodKeeper>[1]) {
    this.#settings = settings;
    this.#deps = deps;
  }

  async check(bearer: string | undefined, source: string): Promise<Result<ProvenPod | undefined, IssuanceFault>> {
    if (bearer?.startsWith(ACCOUNT) === true)
      return refused(`${bearer} got its first certificate by a token that is bound to no pod`);
    if (bearer?.startsWith(POD) !== true) return ok(undefined);
    const uid = bearer.slice(POD.length);
    const stored = this.#deps.store.read((database) => podOf(database, uid));
    if (!stored.ok) return err({ kind: 'store_unavailable', detail: stored.error });
    if (stored.value === undefined) return refused(`pod ${uid} was never compared with the API server; it enrols anew`);
    const known = stored.value;
    const judge = (pod: PodFacts | undefined): PodFault | undefined =>
      renewalFault(pod, { ...known, source }, this.#settings.isAddressed);
    const fresh = this.#fresh.get(uid);
    const isFresh = fresh !== undefined && this.#deps.clock.monotonicMs() < fresh.untilMs;
    // What is remembered may let on, and never turns away: the pod may have got another address since.
    if (isFresh && judge(fresh.pod) === undefined) return ok(this.#proven(known, fresh.pod));
    const found = await this.#deps.pods.find(known.namespace, known.name);
    this.problem = found.ok ? undefined : found.error;
    if (!found.ok) return this.#withoutProof(known, source, found.error);
    const fault = judge(found.value);
    if (fault !== undefined) return fault.kind === 'refused' ? refused(fault.detail) : unavailable(fault.detail);
    this.#remember(uid, found.value);
    return ok(this.#proven(known, found.value));
  }

  #proven(known: ProvenPod, pod: PodFacts | undefined): ProvenPod {
    return { ...known, addresses: pod?.addresses ?? [], provenMs: this.#deps.clock.wallMs() };
  }

  #remember(uid: string, pod: PodFacts | undefined): void {
    this.#fresh.delete(uid);
    this.#fresh.set(uid, { pod, untilMs: this.#deps.clock.monotonicMs() + FRESH_MS });
    const [oldest] = this.#fresh.keys();
    if (this.#fresh.size > MAX_FRESH && oldest !== undefined) this.#fresh.delete(oldest);
  }

  #withoutProof(known: ProvenPod, source: string, detail: string): Result<undefined, IssuanceFault> {
    const { isAddressed, outageMs } = this.#settings;
    const { uid, addresses, provenMs } = known;
    if (isAddressed && !holdsAddress(addresses, source))
      return refused(`pod ${uid} had ${addresses.join(', ')}, and the connection comes from ${source}; ${detail}`);
    // By the wall clock, which an authority that was away shares with the one before it; one that was set back proves nothing either.
    const age = this.#deps.clock.wallMs() - provenMs;
    if (Math.abs(age) > outageMs)
      return unavailable(`pod ${uid} was proven last at ${new Date(provenMs).toISOString()}: ${detail}`);
    this.unproven += 1;
    return ok(undefined);
  }
}

function refused(detail: string): Result<never, IssuanceFault> {
  return err({ kind: 'caller_refused', detail });
}

function unavailable(detail: string): Result<never, IssuanceFault> {
  return err({ kind: 'proof_unavailable', detail });
}
