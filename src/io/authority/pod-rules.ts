import { plainAddress } from './rate-limit-source.ts';

import type { PodFacts } from './pod-answer.ts';

/** Who says to be a pod, from where. */
export type PodClaim = {
  readonly uid: string;
  readonly serviceAccount: string;
  /** Remote address of the connection. */
  readonly source: string;
};

/** Why a claim does not hold. `refused`: it will not; `unavailable`: it may soon. `detail` is for the operator. */
export type PodFault = {
  readonly kind: 'refused' | 'unavailable';
  /** Stable name of the reason, for the log. */
  readonly reason:
    | 'pod_gone'
    | 'pod_differs'
    | 'pod_ends'
    | 'pod_shares_address'
    | 'pod_address'
    | 'pod_has_no_address';
  readonly detail: string;
};

/**
 * What is wrong with a pod's first proof, or undefined. `pod`: what the API server says of the name now. The addresses of a pod are written after its
 * containers were started, so that there are none yet says nothing. `isAddressed`: whether the connection must come from one of them.
 */
export function enrolmentFault(pod: PodFacts | undefined, claim: PodClaim, isAddressed: boolean): PodFault | undefined {
  const gone = goneFault(pod, claim);
  if (gone !== undefined) return gone;
  if (pod?.isEnding === true) return refused('pod_ends', `pod ${claim.uid} is being deleted`);
  return isAddressed ? addressFault(pod, claim) : undefined;
}

/** What is wrong with a pod that has a certificate and asks for the next. One that is being deleted works on until it is gone. */
export function renewalFault(pod: PodFacts | undefined, claim: PodClaim, isAddressed: boolean): PodFault | undefined {
  return goneFault(pod, claim) ?? (isAddressed ? addressFault(pod, claim) : undefined);
}

function goneFault(pod: PodFacts | undefined, { uid, serviceAccount }: PodClaim): PodFault | undefined {
  if (pod === undefined) return refused('pod_gone', `pod ${uid} is there no more`);
  if (pod.uid !== uid) return refused('pod_gone', `pod ${uid} is there no more; its name is that of ${pod.uid}`);
  if (pod.serviceAccount !== serviceAccount)
    return refused('pod_differs', `pod ${uid} runs as ${pod.serviceAccount}, not as ${serviceAccount}`);
  return pod.isFinished ? refused('pod_gone', `pod ${uid} has finished`) : undefined;
}

function addressFault(pod: PodFacts | undefined, { uid, source }: PodClaim): PodFault | undefined {
  if (pod?.isOnHostNetwork === true)
    return refused('pod_shares_address', `pod ${uid} is on the network of its node, where its address proves nothing`);
  const addresses = pod?.addresses ?? [];
  if (addresses.length === 0)
    return { kind: 'unavailable', reason: 'pod_has_no_address', detail: `pod ${uid} has no address yet` };
  if (holdsAddress(addresses, source)) return undefined;
  return refused('pod_address', `pod ${uid} has ${addresses.join(', ')}, and the connection comes from ${source}`);
}

/** Whether `source` is one of `addresses`, which are written as `plainAddress` does. */
export function holdsAddress(addresses: readonly string[], source: string): boolean {
  const plain = plainAddress(source);
  return plain !== undefined && addresses.includes(plain);
}

function refused(reason: PodFault['reason'], detail: string): PodFault {
  return { kind: 'refused', reason, detail };
}
