import { setTimeout as pause } from 'node:timers/promises';

import { listObjects, type KubeApi } from './kube-api.ts';
import { runCommand } from './kube-tools.ts';
import { networkPolicyRules, type PodObject, type PolicyObject } from './network-policy.ts';

const PERIOD_MS = 250;

/** Keeps nft's rules as the NetworkPolicies of the cluster are, a fraction of a second behind; the network plugin of the tests leaves them unheeded. */
export function startNetworkPolicies(
  api: KubeApi,
  say: (line: string) => void,
): { readonly stop: () => Promise<void> } {
  const over = new AbortController();
  const running = keepRules(api, over.signal, say);
  return {
    async stop() {
      over.abort();
      await running;
    },
  };
}

async function keepRules(api: KubeApi, signal: AbortSignal, say: (line: string) => void): Promise<void> {
  let inForce = '';
  while (!signal.aborted) {
    try {
      const rules = await currentRules(api);
      if (rules !== inForce) {
        const { code, stderr } = await runCommand('nft', ['-f', '-'], { input: rules });
        if (code === 0) inForce = rules;
        else say(`nft refused the rules of NetworkPolicies: ${stderr}\n${rules}`);
      }
    } catch (error) {
      say(`NetworkPolicies stay as they are: ${String(error)}`);
    }
    await pause(PERIOD_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function currentRules(api: KubeApi): Promise<string> {
  const policies = await listObjects(api, '/apis/networking.k8s.io/v1/networkpolicies');
  // Most of the time there is none, and nothing else needs to be asked.
  if (policies.length === 0) return networkPolicyRules({ policies: [], pods: [], namespaces: [] });
  const [pods, namespaces] = await Promise.all([
    listObjects(api, '/api/v1/pods'),
    listObjects(api, '/api/v1/namespaces'),
  ]);
  return networkPolicyRules({
    policies: policies as unknown as readonly PolicyObject[],
    pods: pods as unknown as readonly PodObject[],
    namespaces,
  });
}
