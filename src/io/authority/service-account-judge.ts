import { err, ok } from '../../core/kernel/result.ts';
import { enrolmentFault } from './pod-rules.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { PodDirectory } from './pod-directory.ts';
import type { TokenReviewer } from './token-review.ts';
import type { ReviewFault, ServiceAccountCaller } from './token-review-answer.ts';

/** Says who shows a service account token. */
export interface ServiceAccountJudge {
  /** `source`: remote address of the connection that the token came over. Never rejects. */
  review(token: string, source: string): Promise<Result<ServiceAccountCaller, ReviewFault>>;
}

/** How a token is tied to the pod that it was made for. */
export type PodBinding = {
  readonly pods: PodDirectory;
  /** Whether the connection must come from an address of the pod. */
  readonly isAddressed: boolean;
};

/** The kubelet writes a pod's addresses within a second or two of starting it. */
const ADDRESS_SOON_MS = 1_000;

/**
 * Creates the judge: TokenReview, and then, with `binding`, the pod that the token is bound to: it must be there, be that pod by its UID, run as that
 * service account, neither be finished nor on its way out, and have the address that the connection comes from. So a token that was taken out of a pod is
 * of no use elsewhere. One that is bound to no pod (`kubectl create token`) is refused then.
 */
export function createServiceAccountJudge(
  reviewer: TokenReviewer,
  binding: PodBinding | undefined,
): ServiceAccountJudge {
  return {
    async review(token, source) {
      const reviewed = await reviewer.review(token);
      return reviewed.ok && binding !== undefined ? bound(reviewed.value, source, binding) : reviewed;
    },
  };
}

async function bound(
  caller: ServiceAccountCaller,
  source: string,
  { pods, isAddressed }: PodBinding,
): Promise<Result<ServiceAccountCaller, ReviewFault>> {
  const { namespace, serviceAccount, pod } = caller;
  if (pod === undefined) {
    const detail = 'service account token: it is bound to no pod';
    return err({ kind: 'refused', reason: 'pod_missing', detail, caller });
  }
  const found = await pods.find(namespace, pod.name);
  if (!found.ok) return err({ kind: 'unavailable', reason: 'pod_unavailable', detail: found.error, caller });
  const fault = enrolmentFault(found.value, { uid: pod.uid, serviceAccount, source }, isAddressed);
  if (fault !== undefined) {
    const soon = fault.kind === 'unavailable' ? { retryAfterMs: ADDRESS_SOON_MS } : {};
    return err({ ...fault, ...soon, caller });
  }
  return ok({ ...caller, pod: { ...pod, addresses: found.value?.addresses ?? [] } });
}
