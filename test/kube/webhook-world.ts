import { join } from 'node:path';
import type { TestContext } from 'node:test';

import { createRandom, systemClock } from '../../src/app/system.ts';
import { createApiClient } from '../../src/io/kube/api-client.ts';
import { createServingCertificate } from '../../src/io/kube/serving-certificate.ts';
import { createWebhookServer } from '../../src/io/kube/webhook-server.ts';
import { readBounded } from '../../src/io/sources/read-file.ts';
import { systemTimer } from '../../src/io/sources/timer.ts';
import { replaceFile } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { startApiServer, type ApiServer } from './api-server.ts';
import { askApi } from './kube-api.ts';

import type { ApiClient } from '../../src/io/kube/api-client.ts';
import type { ServingSource } from '../../src/io/kube/served-certificate.ts';
import type { WebhookDeps, WebhookServer } from '../../src/io/kube/webhook-server.ts';

export const NAMESPACE = 'sallyport-system';
export const CONFIGURATION = 'sallyport-injector';
export const SECRET = 'sallyport-injector-tls';
const NAME = 'sallyport-injector';
/** Of the Service, whose address is on loopback: not 443, which only root may listen at. */
export const PORT = 8443;

/** An API server with the namespace, the Service and the rights of an injector. */
export type WebhookWorld = {
  readonly kube: ApiServer;
  /** Address of the Service, on loopback. */
  readonly host: string;
};

/** What an injector may do for its certificate, and no more. */
const RULES = {
  role: [
    { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
    { apiGroups: [''], resources: ['secrets'], resourceNames: [SECRET], verbs: ['get', 'list', 'watch', 'update'] },
  ],
  clusterRole: [
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: ['mutatingwebhookconfigurations'],
      resourceNames: [CONFIGURATION],
      verbs: ['get', 'list', 'watch', 'patch'],
    },
  ],
};

export async function startWebhookWorld(context: TestContext): Promise<WebhookWorld> {
  const kube = await startApiServer(context);
  await kube.createNamespace(NAMESPACE);
  await kube.createServiceAccount(NAMESPACE, NAME);
  await grant(kube);
  const service = { metadata: { name: NAME }, spec: { ports: [{ port: PORT }] } };
  const made = await askApi(kube.api, {
    method: 'POST',
    path: `/api/v1/namespaces/${NAMESPACE}/services`,
    body: service,
  });
  const { clusterIP } = (made as { readonly spec: { readonly clusterIP: string } }).spec;
  return { kube, host: clusterIP };
}

async function grant({ api }: ApiServer): Promise<void> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const subjects = [{ kind: 'ServiceAccount', name: NAME, namespace: NAMESPACE }];
  const roleRef = (kind: string): object => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: NAME });
  const metadata = { name: NAME };
  const within = `${rbac}/namespaces/${NAMESPACE}`;
  const objects = [
    [`${within}/roles`, { metadata, rules: RULES.role }],
    [`${within}/rolebindings`, { metadata, subjects, roleRef: roleRef('Role') }],
    [`${rbac}/clusterroles`, { metadata, rules: RULES.clusterRole }],
    [`${rbac}/clusterrolebindings`, { metadata, subjects, roleRef: roleRef('ClusterRole') }],
  ] as const;
  for (const [path, body] of objects) await askApi(api, { method: 'POST', path, body });
}

/** A configuration as the chart renders it: without `caBundle`. */
export async function createConfiguration({ kube }: WebhookWorld): Promise<void> {
  const webhook = {
    name: 'inject.sallyport.dev',
    clientConfig: { service: { name: NAME, namespace: NAMESPACE, path: '/inject', port: PORT } },
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' }],
    namespaceSelector: { matchLabels: { 'sallyport.dev/inject': 'enabled' } },
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Fail',
    reinvocationPolicy: 'IfNeeded',
    timeoutSeconds: 10,
  };
  const second = {
    ...webhook,
    name: 'ephemeral.sallyport.dev',
    rules: [{ ...webhook.rules[0], operations: ['UPDATE'], resources: ['pods/ephemeralcontainers'] }],
  };
  await askApi(kube.api, {
    method: 'POST',
    path: '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
    body: { metadata: { name: CONFIGURATION }, webhooks: [webhook, second] },
  });
}

/** Lives and times of a rotation that a test can wait for, milliseconds. */
export type Lives = {
  readonly leafMs: number;
  readonly authorityMs: number;
  readonly settleMs: number;
  readonly lookMs: number;
};

export type Replica = {
  readonly api: ApiClient;
  readonly serving: ServingSource;
  readonly problems: readonly string[];
  readonly said: readonly string[];
};

/** What one replica has of an injector: its own client with its own token, and the certificate. */
export async function startReplica(
  context: TestContext,
  { kube }: WebhookWorld,
  name: string,
  lives?: Lives,
): Promise<Replica> {
  const tokenFile = join(kube.folder, `${name}.token`);
  await replaceFile(tokenFile, await kube.requestToken({ namespace: NAMESPACE, serviceAccount: NAME }));
  const problems: string[] = [];
  const said: string[] = [];
  const onFault = (verb: string, { kind, detail }: { kind: string; detail: string }): void =>
    void problems.push(`${verb} ${kind} ${detail}`);
  const api = createApiClient(
    { url: kube.url, tokenFile, caFile: kube.caFile },
    { readFile: readBounded, timer: systemTimer, onFault },
  );
  const log = {
    info: (fields: object, message: string): void => void said.push(`${message} ${JSON.stringify(fields)}`),
    warn: (fields: object, message: string): void => void said.push(`${message} ${JSON.stringify(fields)}`),
  };
  const dnsNames = [`${NAME}.${NAMESPACE}.svc`, `${NAME}.${NAMESPACE}.svc.cluster.local`] as const;
  const settings = { namespace: NAMESPACE, secret: SECRET, configuration: CONFIGURATION, dnsNames, ...lives };
  const deps = { api, clock: systemClock, random: createRandom(), timer: systemTimer, log };
  const serving = createServingCertificate(settings, deps);
  context.after(async () => {
    await api.stop();
    await serving.stop();
  });
  serving.start();
  return { api, serving, problems, said };
}

/** The webhook of a replica on the Service's address and port. */
export async function startWebhook(
  context: TestContext,
  { host }: WebhookWorld,
  { serving }: Replica,
  parts: Pick<WebhookDeps, 'answer' | 'observer'>,
): Promise<WebhookServer> {
  const log = { error: () => undefined };
  const settings = { listen: { host, port: PORT } };
  const server = createWebhookServer(settings, { serving, ...parts, clock: systemClock, timer: systemTimer, log });
  await server.start();
  context.after(() => server.stop(0, 0));
  await until('a certificate', () => server.ready);
  return server;
}

/** `caBundle` of each webhook, as text. */
export async function caBundles({ kube }: WebhookWorld): Promise<readonly string[]> {
  const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${CONFIGURATION}`;
  const { webhooks } = (await askApi(kube.api, { path })) as {
    readonly webhooks: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
  };
  return webhooks.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? '', 'base64').toString());
}

/** The shared Secret's data as text. */
export async function secretData({ kube }: WebhookWorld): Promise<Readonly<Record<string, string>>> {
  const path = `/api/v1/namespaces/${NAMESPACE}/secrets/${SECRET}`;
  const { data } = (await askApi(kube.api, { path })) as { readonly data: Readonly<Record<string, string>> };
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}
