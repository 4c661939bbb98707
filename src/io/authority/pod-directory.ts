import { err, ok } from '../../core/kernel/result.ts';
import { readPod } from './pod-answer.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { ApiServer } from './api-server.ts';
import type { PodFacts } from './pod-answer.ts';

/** Knows the pods of a cluster. */
export interface PodDirectory {
  /** The pod of that name as it is now; undefined where there is none. The error says why nothing can be said. Never rejects. */
  find(namespace: string, name: string): Promise<Result<PodFacts | undefined, string>>;
}

/** The API server takes no object of more than 1.5 MiB, and gives it out with more spaces and escapes. */
const MAX_ANSWER = 4_194_304;

/** Asks the API server, at each question anew. We have to be allowed to get `pods`. Names are those of Kubernetes' rules: they stand in the path as they are. */
export function createPodDirectory(api: Pick<ApiServer, 'ask'>): PodDirectory {
  return {
    async find(namespace, name) {
      const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
      const answer = await api.ask({ method: 'GET', path, maxBytes: MAX_ANSWER });
      if (!answer.ok) return unavailable(answer.error);
      const { status, text } = answer.value;
      if (status === 404) return isOfApi(text) ? ok(undefined) : unavailable('the answer is 404, and not of the API');
      if (status === 403)
        return unavailable('we may not get pods (403); let our service account `get` `pods` in all namespaces');
      if (status !== 200) return unavailable(`the API server answered ${status}`);
      const pod = readPod(text);
      return pod.ok ? pod : unavailable(pod.error);
    },
  };
}

/** A 404 of something in front of the API server must not take identities away: its own is a `Status` with the reason. */
function isOfApi(text: string): boolean {
  try {
    const { kind, reason } = (JSON.parse(text) ?? {}) as { kind?: unknown; reason?: unknown };
    return kind === 'Status' && reason === 'NotFound';
  } catch {
    return false;
  }
}

function unavailable(detail: string): Result<never, string> {
  return err(`pod: ${detail}`);
}
