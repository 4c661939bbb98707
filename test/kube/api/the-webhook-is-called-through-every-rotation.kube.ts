import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { connect } from 'node:tls';

import { until } from '../../support/until.ts';
import {
  caBundles,
  createConfiguration,
  secretData,
  startReplica,
  startWebhook,
  startWebhookWorld,
  PORT,
  type WebhookWorld,
} from '../webhook-world.ts';

import type { ApiAnswer } from '../kube-api.ts';
import type { ReviewAnswer } from '../../../src/io/kube/webhook-server.ts';
import type { WebhookOutcome } from '../../../src/io/kube/webhook-observer.ts';

type Review = {
  readonly request: {
    readonly uid: string;
    readonly object: {
      readonly spec: { readonly initContainers?: readonly { readonly volumeMounts?: readonly object[] }[] };
    };
  };
};

/** Gives a pod an init container, once. */
function addContainer(text: string): ReviewAnswer {
  const { uid, object } = (JSON.parse(text) as Review).request;
  const done = object.spec.initContainers !== undefined;
  const patch = [
    { op: 'add', path: '/spec/initContainers', value: [{ name: 'added', image: 'registry.invalid/added:1' }] },
  ];
  const change = { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
  const response = { uid, allowed: true, ...(!done && change) };
  const answer = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
  return { kind: 'answered', text: JSON.stringify(answer), outcome: { kind: done ? 'skipped' : 'injected' } };
}

type Served = {
  readonly world: WebhookWorld;
  readonly reviews: Review[];
  readonly outcomes: WebhookOutcome[];
  readonly stop: () => Promise<void>;
};

async function world(context: TestContext, lives?: Parameters<typeof startReplica>[3]): Promise<Served> {
  const made = await startWebhookWorld(context);
  await createConfiguration(made);
  const [one] = await Promise.all(['a', 'b'].map((name) => startReplica(context, made, name, lives)));
  assert.ok(one);
  const reviews: Review[] = [];
  const outcomes: WebhookOutcome[] = [];
  const server = await startWebhook(context, made, one, {
    answer: (text) => {
      reviews.push(JSON.parse(text) as Review);
      return addContainer(text);
    },
    observer: { answered: (outcome) => void outcomes.push(outcome) },
  });
  await made.kube.createNamespace('agents', { 'sallyport.dev/inject': 'enabled' });
  return { world: made, reviews, outcomes, stop: () => server.stop(0, 0) };
}

function createPod({ kube }: WebhookWorld, name: string, namespace = 'agents'): Promise<ApiAnswer> {
  const spec = { containers: [{ name: 'app', image: 'registry.invalid/app:1' }] };
  const path = `/api/v1/namespaces/${namespace}/pods`;
  return kube.call({ method: 'POST', path, body: { metadata: { name }, spec } });
}

test('the API server calls by the Service, and again where other admission changed what was added', async (context) => {
  const { world: made, reviews, outcomes } = await world(context);
  const { status, json } = await createPod(made, 'twice');
  assert.equal(status, 201, JSON.stringify(json));
  // The ServiceAccount admission gives the new container its token, so the API server asks once more (reinvocationPolicy IfNeeded).
  const asked = reviews.map(({ request }) =>
    request.object.spec.initContainers?.map(({ volumeMounts = [] }) => volumeMounts.length),
  );
  assert.deepEqual(asked, [undefined, [1]]);
  assert.equal(new Set(reviews.map(({ request }) => request.uid)).size, 2);
  assert.deepEqual(outcomes, [{ kind: 'injected' }, { kind: 'skipped' }]);
  const { spec } = json as { readonly spec: { readonly initContainers: readonly { readonly name: string }[] } };
  assert.deepEqual(
    spec.initContainers.map(({ name }) => name),
    ['added'],
  );
});

test('a webhook that is not there keeps pods of its namespaces out, and no others', async (context) => {
  const { world: made, stop } = await world(context);
  await stop();
  const refused = await createPod(made, 'refused');
  assert.equal(refused.status, 500, JSON.stringify(refused.json));
  assert.match(JSON.stringify(refused.json), /failed calling webhook/);
  await made.kube.createNamespace('others');
  const { status } = await createPod(made, 'free', 'others');
  assert.equal(status, 201);
});

test('no pod is refused while leaves and authorities change', async (context) => {
  const lives = { leafMs: 3_000, authorityMs: 12_000, settleMs: 1_000, lookMs: 300 };
  const { world: made, outcomes } = await world(context, lives);
  const authorities = new Set<string>();
  const leaves = new Set<string>();
  let pods = 0;
  let most = 0;
  await until('three authorities', async () => {
    const [bundle = '', second] = await caBundles(made);
    assert.equal(second, bundle);
    most = Math.max(most, bundle.split('BEGIN CERTIFICATE').length - 1);
    // A caller that learns of caBundle now has to believe whoever answers now.
    leaves.add(await shown(made, bundle));
    const { status, json } = await createPod(made, `pod-${(pods += 1)}`);
    assert.equal(status, 201, JSON.stringify(json));
    authorities.add((await secretData(made))['ca.crt'] ?? '');
    return authorities.size >= 3;
  });
  assert.ok(leaves.size >= 4, `${leaves.size} leaves`);
  assert.equal(outcomes.filter(({ kind }) => kind === 'injected').length, pods);
  // Before, present and announced ones; they do not pile up.
  assert.ok(most >= 2 && most <= 3, `${most} authorities at once`);
  context.diagnostic(`${pods} pods, ${leaves.size} leaves, ${authorities.size} authorities`);
});

/** The serial number of what is served to somebody who believes `ca` and calls by the Service's name. */
async function shown({ host }: WebhookWorld, ca: string): Promise<string> {
  const socket = connect({ host, port: PORT, ca, servername: 'sallyport-injector.sallyport-system.svc' });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}
