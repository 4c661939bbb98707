import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { answerAdmission, type InjectorKnowledge } from '../../src/app/injector-admission.ts';
import { REDIRECT, SIDECAR } from '../../src/core/injection/names.ts';
import { createInjectorMetrics } from '../../src/io/telemetry/injector-metrics.ts';
import { FACTS, SETTINGS } from '../unit/injection/pods.ts';
import { createConfiguration, startReplica, startWebhook, startWebhookWorld } from './webhook-world.ts';

import type { InjectionSettings } from '../../src/core/model/injection.ts';
import type { ApiServer } from './api-server.ts';
import type { ApiAnswer } from './kube-api.ts';

export type Json = Readonly<Record<string, unknown>>;
export type Labels = Readonly<Record<string, string>>;

type Container = { readonly name: string; readonly restartPolicy?: string } & Json;
export type Pod = {
  readonly metadata: { readonly name: string; readonly labels?: Labels; readonly annotations?: Labels } & Json;
  readonly spec: {
    readonly initContainers?: readonly Container[];
    readonly containers: readonly Container[];
    readonly ephemeralContainers?: readonly Container[];
  } & Json;
};

export const ON = { 'sallyport.dev/inject': 'enabled' };
/** The namespace of that name, as one golden input has it. */
export const STRICT = { 'pod-security.kubernetes.io/enforce': 'restricted' };

export type Known = { readonly settings: InjectionSettings; readonly knowledge: InjectorKnowledge };

/** What an installation with nothing but defaults knows. */
export const DEFAULT = known({}, FACTS.roots);

export function known(settings: Partial<InjectionSettings>, roots: string): Known {
  return {
    settings: { ...SETTINGS, ...settings },
    knowledge: { kind: 'known', facts: { ...FACTS, roots }, labels: labelsOf },
  };
}

function labelsOf(namespace: string): Labels {
  return namespace === 'strict' ? { ...ON, ...STRICT } : ON;
}

export type World = {
  readonly kube: ApiServer;
  /** From now on the injector knows this. */
  readonly tell: (now: Known) => void;
  /** Counts of outcomes and reasons, without those that are zero. */
  readonly counted: () => Promise<Readonly<Record<string, number>>>;
};

/** An API server that asks the injector's own answers, in the namespace `agents` and any other with the label. */
export async function startInjectionWorld(context: TestContext): Promise<World> {
  const made = await startWebhookWorld(context);
  const { kube } = made;
  await createConfiguration(made);
  const replica = await startReplica(context, made, 'a');
  const observer = createInjectorMetrics({ version: '0.1.0' }, { figures: () => undefined, nowMs: () => 0 });
  let now = DEFAULT;
  const log = { info: () => undefined };
  await startWebhook(context, made, replica, {
    answer: (text) => answerAdmission(text, now.settings, now.knowledge, log),
    observer,
  });
  await kube.createNamespace('agents', ON);
  for (const name of ['researcher', 'reporter', 'planner']) await kube.createServiceAccount('agents', name);
  return {
    kube,
    tell: (next) => void (now = next),
    counted: async () => counts(await observer.metrics()),
  };
}

/** `injected 3`, `refused 1`, `uid_taken 1`: the labels of the two counters. */
function counts(text: string): Readonly<Record<string, number>> {
  const lines = text.matchAll(/^sallyport_injection_(?:requests|refusals)_total\{[a-z]+="([a-z_]+)"\} (\d+)$/gm);
  return Object.fromEntries(
    [...lines].flatMap(([, name = '', count]) => (count === '0' ? [] : [[name, Number(count)]])),
  );
}

export const DRY = '?dryRun=All&fieldValidation=Strict';
export const REAL = '?fieldValidation=Strict';

export function create(kube: ApiServer, pod: unknown, query: string, namespace = 'agents'): Promise<ApiAnswer> {
  return kube.call({ method: 'POST', path: `/api/v1/namespaces/${namespace}/pods${query}`, body: pod });
}

/** The pod that came of it, which has to. */
export async function created(kube: ApiServer, pod: unknown, query: string, namespace?: string): Promise<Pod> {
  const { status, json } = await create(kube, pod, query, namespace);
  assert.equal(status, 201, JSON.stringify(json).slice(0, 4_000));
  return json as Pod;
}

export const ours = ({ spec }: Pod): readonly Container[] =>
  (spec.initContainers ?? []).filter(({ name }) => name === SIDECAR || name === REDIRECT);

/** Our containers come first, the sidecar lives as long as the pod and is marked. */
export function assertInjected({ metadata, spec }: Pod, title: string, parts = [REDIRECT, SIDECAR]): void {
  const init = spec.initContainers ?? [];
  assert.deepEqual(
    init.slice(0, parts.length).map(({ name }) => name),
    parts,
    title,
  );
  const sidecars = init.filter(({ name }) => name === SIDECAR);
  assert.deepEqual(
    sidecars.map(({ restartPolicy }) => restartPolicy),
    ['Always'],
    title,
  );
  assert.equal(metadata.labels?.['sallyport.dev/injected'], 'true', title);
}

export const message = ({ json }: ApiAnswer): string => (json as { readonly message: string }).message;
