import { err } from '../../core/kernel/result.ts';
import { isBearerToken } from './api-server.ts';
import { readTokenReview } from './token-review-answer.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { ApiServer } from './api-server.ts';
import type { ReviewFault, ServiceAccountCaller } from './token-review-answer.ts';

/** Asks the API server of a Kubernetes cluster who holds a token. */
export interface TokenReviewer {
  /**
   * One question, nothing tried again, nothing remembered. Never rejects. That the token was taken from another pod cannot be seen here: who shows it
   * is compared with the pod it is bound to by `ServiceAccountJudge`.
   */
  review(token: string): Promise<Result<ServiceAccountCaller, ReviewFault>>;
}

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';
/** A TokenReview holds the token and a few names. */
const MAX_ANSWER = 262_144;

/**
 * Creates the reviewer without effects. `audience`: what tokens must be for; never that of the API server, whose tokens every pod may hold for other
 * reasons. We have to be allowed to create `tokenreviews` (ClusterRole system:auth-delegator).
 */
export function createTokenReviewer(audience: string, api: Pick<ApiServer, 'ask'>): TokenReviewer {
  return {
    async review(token) {
      if (!isBearerToken(token))
        return err({ kind: 'refused', detail: 'service account token: it has not the form of one' });
      const body = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, audiences: [audience] },
      };
      const answer = await api.ask({ method: 'POST', path: PATH, body, maxBytes: MAX_ANSWER });
      if (!answer.ok) return unavailable(answer.error);
      const { status, text } = answer.value;
      if (status === 403)
        return unavailable('we may not create tokenreviews (403); bind system:auth-delegator to our service account');
      // Creating answers 201; 200 is what some servers in front of it make of that.
      return status === 200 || status === 201
        ? readTokenReview(text, audience)
        : unavailable(`the API server answered ${status}`);
    },
  };
}

function unavailable(detail: string): Result<never, ReviewFault> {
  return err({ kind: 'unavailable', detail: `TokenReview: ${detail}` });
}
