import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { createRandom } from '../../src/app/system.ts';
import { createServingCertificate } from '../../src/io/kube/serving-certificate.ts';
import { createDrivenClock, type DrivenClock } from './driven-clock.ts';
import { startFakeKubeApi, type FakeKubeApi } from './fake-kube-api.ts';
import { clientOf } from './kube-client.ts';
import { until } from './until.ts';

import type { ServingSource } from '../../src/io/kube/served-certificate.ts';

export const DNS_NAMES = ['injector.system.svc', 'injector.system.svc.cluster.local'] as const;
export const SECRET_PATH = '/api/v1/namespaces/system/secrets/injector-tls';
export const CONFIGURATION_PATH = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/injector';

/** A fake API server with a configuration of two webhooks, and time that only the test moves. */
export type ServingWorld = {
  readonly api: FakeKubeApi;
  readonly clock: DrivenClock;
  readonly said: string[];
  readonly replica: (settings?: object) => ServingSource;
  /** Values of the shared Secret as text. */
  readonly secret: () => Readonly<Record<string, string>>;
  readonly bundles: () => readonly string[];
  /** Lets time pass in small steps, and gives everybody their turn, until something is so. */
  readonly eventually: (what: string, look: () => boolean, stepMs?: number) => Promise<void>;
};

type Webhook = { readonly clientConfig: { readonly caBundle?: string } };

export async function startServingWorld(context: TestContext): Promise<ServingWorld> {
  const api = await startFakeKubeApi(context);
  const clock = createDrivenClock();
  const said: string[] = [];
  api.store.put(CONFIGURATION_PATH, {
    webhooks: [
      { name: 'inject', clientConfig: { service: { name: 'injector' } } },
      { name: 'ephemeral', clientConfig: { service: { name: 'injector' } }, failurePolicy: 'Fail' },
    ],
  });
  const say = (fields: object, message: string): void => void said.push(`${message} ${JSON.stringify(fields)}`);
  return {
    api,
    clock,
    said,
    replica(settings = {}) {
      // Its deadlines are not of this time: a step of hours would end each request.
      const client = clientOf(context, api);
      const names = { namespace: 'system', secret: 'injector-tls', configuration: 'injector', dnsNames: DNS_NAMES };
      const deps = { api: client, clock, random: createRandom(), timer: clock.timer, log: { info: say, warn: say } };
      const serving = createServingCertificate({ ...names, ...settings }, deps);
      context.after(() => Promise.all([client.stop(), serving.stop()]));
      serving.start();
      return serving;
    },
    secret: () => textsOf(api.store.objects.get(SECRET_PATH)?.['data']),
    bundles() {
      const { webhooks } = api.store.objects.get(CONFIGURATION_PATH) as unknown as { webhooks: readonly Webhook[] };
      return webhooks.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? '', 'base64').toString());
    },
    async eventually(what, look, stepMs = 5_000) {
      let seen = -1;
      await until(what, () => {
        if (look()) return true;
        // Time stands still while anybody asks: a look that takes hours is not what is tested.
        if (api.calls.length === seen) clock.advance(stepMs);
        seen = api.calls.length;
        return false;
      });
    },
  };
}

function textsOf(data: unknown): Readonly<Record<string, string>> {
  assert.ok(typeof data === 'object' && data !== null, 'there is no Secret');
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value), 'base64').toString()]),
  );
}
