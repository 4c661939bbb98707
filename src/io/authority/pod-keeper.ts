import { err, ok } from '../../core/kernel/result.ts';
import { podOf } from './pod-rows.ts';
import { holdsAddress, renewalFault } from './pod-rules.ts';

import type { Clock } from '../../core/kernel/clock.ts';
import type { Result } from '../../core/kernel/result.ts';
import type { IssuanceFault } from '../../core/model/svid.ts';
import type { AuthorityStore } from './authority-store.ts';
import type { PodDirectory } from './pod-directory.ts';
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
/** What the API server said of a pod is believed this long: replicas of a workload renew by themselves, one pod once in half a life. */
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

type Answer = Awaited<ReturnType<PodDirectory['find']>>;

class Keeper implements PodKeeper {
  readonly #settings: PodKeeperSettings;
  readonly #deps: Parameters<typeof createPodKeeper>[1];
  readonly #fresh = new Map<string, { readonly answer: Answer; readonly untilMs: number }>();
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
    const found = await this.#find(known);
    if (!found.ok) return this.#withoutProof(known, source, found.error);
    const fault = renewalFault(found.value, { ...known, source }, this.#settings.isAddressed);
    if (fault !== undefined) return fault.kind === 'refused' ? refused(fault.detail) : unavailable(fault.detail);
    return ok({ ...known, addresses: found.value?.addresses ?? [], provenMs: this.#deps.clock.wallMs() });
  }

  async #find({ uid, namespace, name }: ProvenPod): Promise<Answer> {
    const known = this.#fresh.get(uid);
    const nowMs = this.#deps.clock.monotonicMs();
    if (known !== undefined && nowMs < known.untilMs) return known.answer;
    const answer = await this.#deps.pods.find(namespace, name);
    this.problem = answer.ok ? undefined : answer.error;
    this.#fresh.delete(uid);
    if (answer.ok) this.#fresh.set(uid, { answer, untilMs: nowMs + FRESH_MS });
    const [oldest] = this.#fresh.keys();
    if (this.#fresh.size > MAX_FRESH && oldest !== undefined) this.#fresh.delete(oldest);
    return answer;
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
