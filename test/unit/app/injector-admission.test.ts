import assert from 'node:assert/strict';
import { test } from 'node:test';

import { answerAdmission, type InjectorKnowledge } from '../../../src/app/injector-admission.ts';
import type { InjectionSettings } from '../../../src/core/model/injection.ts';
import { agentPod, annotated, FACTS, SETTINGS } from '../injection/pods.ts';

const KNOWN: InjectorKnowledge = { kind: 'known', facts: FACTS, labels: () => ({}) };

type Answer = {
  readonly outcome: unknown;
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly patch?: string;
    readonly status?: { readonly code: number; readonly message: string };
  };
};

test('a pod gets its patch', () => {
  const { outcome, response } = answer(review(agentPod()));
  assert.deepEqual(outcome, { kind: 'injected' });
  assert.deepEqual([response.uid, response.allowed], ['u-1', true]);
  const patch = JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString()) as readonly {
    readonly path: string;
  }[];
  assert.ok(patch.some(({ path }) => path === '/spec/initContainers'));
});

test('a pod that would get around it is refused by name, and one line of the log says so', () => {
  const log: object[] = [];
  const { outcome, response } = answer(review(agentPod({ hostNetwork: true })), { log });
  assert.deepEqual(outcome, { kind: 'refused', reasons: ['host_namespace'] });
  assert.deepEqual([response.allowed, response.status?.code, response.patch], [false, 403, undefined]);
  assert.match(response.status?.message ?? '', /hostNetwork/);
  assert.deepEqual(log, [{ namespace: 'agents', pod: 'agent', dry_run: false, reasons: ['host_namespace'] }]);
});

test('before the roots are known no pod is let in, and the API server is told to come again', () => {
  const { outcome, response } = answer(review(agentPod()), { knowledge: { kind: 'unknown', why: 'no roots yet' } });
  assert.deepEqual(outcome, { kind: 'refused', reasons: ['not_ready'] });
  assert.deepEqual([response.allowed, response.status?.code], [false, 503]);
  assert.match(response.status?.message ?? '', /no roots yet/);
});

test('a pod that may opt out is left as it is', () => {
  const settings: InjectionSettings = { ...SETTINGS, overrides: ['opt-out'] };
  const pod = agentPod({}, { labels: { 'sallyport.dev/inject': 'disabled' } });
  const { outcome, response } = answer(review(pod), { settings });
  assert.deepEqual([outcome, response.allowed, response.patch], [{ kind: 'skipped' }, true, undefined]);
});

test('the log holds names that Kubernetes would give, and nothing else', () => {
  const log: { readonly pod?: string }[] = [];
  for (const metadata of [{ name: 'a\nb' }, { name: undefined, generateName: 'web-' }, { name: 'x'.repeat(300) }])
    answer(review(agentPod({ hostNetwork: true }, metadata)), { log });
  assert.deepEqual(
    log.map(({ pod }) => pod),
    [undefined, 'web-*', undefined],
  );
});

test('ephemeral containers are judged, and allowed without a patch', () => {
  const injected = injectedPod();
  const added = (container: object) => ({
    ...injected,
    spec: { ...injected.spec, ephemeralContainers: [{ name: 'debug', image: 'busybox', ...container }] },
  });
  const ask = (pod: object) =>
    review(pod, { subResource: 'ephemeralcontainers', operation: 'UPDATE', oldObject: injected });
  const { outcome, response } = answer(ask(added({})));
  assert.deepEqual([outcome, response.allowed, response.patch], [{ kind: 'skipped' }, true, undefined]);
  const refused = answer(ask(added({ securityContext: { runAsUser: SETTINGS.uid } })));
  assert.deepEqual(refused.outcome, { kind: 'refused', reasons: ['uid_taken'] });
});

test('what is no AdmissionReview is malformed', () => {
  for (const text of [
    '',
    '{}',
    '[]',
    '{"kind":"AdmissionReview"}',
    JSON.stringify({ ...read(review(agentPod())), kind: 'Pod' }),
  ]) {
    assert.equal(answerAdmission(text, SETTINGS, KNOWN, { info: () => undefined }).kind, 'malformed', text);
  }
});

test('a pod with a mistake in an annotation is told the mistake', () => {
  const { response } = answer(review(annotated({ prots: '80' })));
  assert.match(response.status?.message ?? '', /sallyport\.dev\/ports/);
});

function injectedPod() {
  const { response } = answer(review(agentPod()));
  const patch = JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString()) as readonly {
    readonly path: string;
    readonly value: unknown;
  }[];
  const initContainers = patch.find(({ path }) => path === '/spec/initContainers')?.value;
  const pod = agentPod();
  return { ...pod, spec: { ...pod.spec, initContainers } };
}

function review(pod: object, request: object = {}): string {
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u-1',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'agents',
      operation: 'CREATE',
      dryRun: false,
      object: pod,
      ...request,
    },
  });
}

function read(text: string): object {
  return JSON.parse(text) as object;
}

function answer(
  text: string,
  more: { settings?: InjectionSettings; knowledge?: InjectorKnowledge; log?: object[] } = {},
): Answer {
  const log = { info: (fields: object) => void more.log?.push(fields) };
  const answered = answerAdmission(text, more.settings ?? SETTINGS, more.knowledge ?? KNOWN, log);
  assert.equal(answered.kind, 'answered', JSON.stringify(answered));
  if (answered.kind !== 'answered') throw new TypeError('unreachable');
  const { response } = JSON.parse(answered.text) as Pick<Answer, 'response'>;
  return { outcome: answered.outcome, response };
}
