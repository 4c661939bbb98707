import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { loadInjectorConfig } from '../../../src/core/config/injector-config.ts';
import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import { fileIn, only, render } from '../../support/chart.ts';
import { until } from '../../support/until.ts';
import { startApiServer, type ApiServer } from '../api-server.ts';

import type { CommandResult } from '../kube-tools.ts';

const SETTINGS = { 'sidecar.overrides': ['ports', 'opt-out'] };

type Container = { readonly name: string; readonly [key: string]: unknown };
type Pod = {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Record<string, string> };
  readonly spec: { readonly containers: readonly object[]; readonly initContainers?: readonly Container[] };
};

/** An API server with the admission policies of the chart and no webhook: what would come out after all of them. */
async function start(context: TestContext): Promise<{ kube: ApiServer; injected: (name: string) => Pod }> {
  const kube = await startApiServer(context);
  await kube.createNamespace('agents', { 'sallyport.dev/inject': 'enabled' });
  await kube.createNamespace('others');
  const objects = await render(undefined, SETTINGS);
  const config = loadInjectorConfig(fileIn(objects, 'sallyport-injector', 'injector.yaml'), {});
  assert.ok(config.ok);
  const { sidecar } = config.value;
  for (const name of ['sallyport-injected', 'sallyport-marks', 'sallyport-exec'])
    for (const kind of ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'])
      await kube.kubectl(['apply', '--validate=strict', '-f', '-'], JSON.stringify(only(objects, kind, name)));
  const injected = (name: string): Pod => {
    const namespace = { name: 'agents', labels: { 'sallyport.dev/inject': 'enabled' } };
    const made = injectPod({ pod: bare(name), namespace }, sidecar, { version: '0.1.0', roots: kube.caPem });
    assert.ok(made.ok && made.value.kind === 'injected', JSON.stringify(made));
    return made.value.pod as Pod;
  };
  // The API server sees a new policy within a second or so.
  await until('the admission policy', async () => (await create(kube, bare('early'), true)).code !== 0);
  return { kube, injected };
}

function bare(name: string, namespace = 'agents'): Pod {
  const containers = [{ name: 'agent', image: 'agent:1', ports: [{ containerPort: 8080 }] }];
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels: { app: 'a' } }, spec: { containers } };
}

function create(kube: ApiServer, pod: Pod, dryRun = false): Promise<CommandResult> {
  const input = JSON.stringify(pod);
  return kube.tryKubectl(['create', '-f', '-', ...(dryRun ? ['--dry-run=server'] : [])], { input });
}

/** The pod with one of its init containers changed, or without it. */
function meddled(pod: Pod, name: string, change: object | undefined): Pod {
  const initContainers = (pod.spec.initContainers ?? []).flatMap((one) => {
    if (one.name !== name) return [one];
    return change === undefined ? [] : [{ ...one, ...change }];
  });
  return { ...pod, spec: { ...pod.spec, initContainers } };
}

test('a pod comes out of the admission with its sidecar, or not at all', async (context) => {
  const { kube, injected } = await start(context);
  const good = injected('good');
  const { metadata } = good;
  assert.equal((await create(kube, good, true)).stderr, '');
  const CASES: readonly (readonly [title: string, pod: Pod, said: RegExp])[] = [
    ['a bare one', bare('x'), /without its sidecar/],
    ['the sidecar taken out', meddled(good, 'sallyport', undefined), /without its sidecar/],
    [
      'no sidecar any more but a container that ends',
      meddled(good, 'sallyport', { restartPolicy: undefined }),
      /without its sidecar|may not be/,
    ],
    ['another image', meddled(good, 'sallyport', { image: 'evil/sallyport:1' }), /without its sidecar/],
    [
      'an image that only begins alike',
      meddled(good, 'sallyport', { image: 'sallyport-evil:1' }),
      /without its sidecar/,
    ],
    ['another command', meddled(good, 'sallyport', { command: ['node', '-e', '0'] }), /without its sidecar/],
    ['other arguments', meddled(good, 'sallyport', { args: ['version'] }), /without its sidecar/],
    ['another user', meddled(good, 'sallyport', { securityContext: { runAsUser: 1_000 } }), /without its sidecar/],
    [
      'the redirection taken out',
      meddled(good, 'sallyport-redirect', undefined),
      /without the init container sallyport-redirect/,
    ],
    [
      'a redirection that does nothing',
      meddled(good, 'sallyport-redirect', { args: ['version'] }),
      /without the init container sallyport-redirect/,
    ],
    ['the label taken away', { ...good, metadata: { ...metadata, labels: { app: 'a' } } }, /without the label/],
  ];
  for (const [title, pod, said] of CASES) {
    const { code, stderr } = await create(kube, pod, true);
    assert.notEqual(code, 0, title);
    assert.match(stderr, said, title);
  }
  assert.equal((await create(kube, bare('x', 'others'), true)).code, 0);
  const out = bare('out');
  const labels = { ...out.metadata.labels, 'sallyport.dev/inject': 'disabled' };
  assert.equal((await create(kube, { ...out, metadata: { ...out.metadata, labels } }, true)).stderr, '');
});

test('what the injection wrote stays for the life of the pod, and everything else can change', async (context) => {
  const { kube, injected } = await start(context);
  assert.equal((await create(kube, injected('kept'))).stderr, '');
  const change = (args: readonly string[]): Promise<CommandResult> => kube.tryKubectl([...args, '-n', 'agents']);
  const FORBIDDEN: readonly (readonly string[])[] = [
    ['label', 'pod', 'kept', 'sallyport.dev/injected-'],
    ['label', 'pod', 'kept', 'sallyport.dev/injected=false', '--overwrite'],
    ['label', 'pod', 'kept', 'sallyport.dev/inject=disabled'],
    ['annotate', 'pod', 'kept', 'sallyport.dev/injected-by-'],
    ['annotate', 'pod', 'kept', 'sallyport.dev/injected-config=sha256:0', '--overwrite'],
    ['annotate', 'pod', 'kept', 'sallyport.dev/mode=shadow'],
    [
      'patch',
      'pod',
      'kept',
      '--subresource=status',
      '--type=merge',
      '-p',
      '{"metadata":{"labels":{"sallyport.dev/injected":null}}}',
    ],
  ];
  for (const args of FORBIDDEN) {
    const { code, stderr } = await change(args);
    assert.notEqual(code, 0, args.join(' '));
    assert.match(stderr, /stay as they are; create the pod anew/, args.join(' '));
  }
  // The image of a container is what Kubernetes lets change in a pod that runs: the kubelet starts the other one in the old one's place, with its user and volumes.
  for (const ours of ['sallyport', 'sallyport-redirect']) {
    const { code, stderr } = await change(['set', 'image', 'pod/kept', `${ours}=evil/sallyport:1`]);
    assert.notEqual(code, 0, ours);
    assert.match(stderr, /the images of sallyport and sallyport-redirect stay as they are/, ours);
  }
  for (const args of [
    ['label', 'pod', 'kept', 'app=b', '--overwrite'],
    ['annotate', 'pod', 'kept', 'example.org/note=x'],
    ['set', 'image', 'pod/kept', 'agent=agent:2'],
    ['patch', 'pod', 'kept', '--subresource=status', '--type=merge', '-p', '{"status":{"phase":"Running"}}'],
  ])
    assert.equal((await change(args)).stderr, '', args.join(' '));
});

test('who runs programs in the containers of a namespace does not in that of a sidecar, which holds its key', async (context) => {
  const { kube, injected } = await start(context);
  assert.equal((await create(kube, injected('run'))).stderr, '');
  const role = ['--verb=create,get', '--resource=pods,pods/exec,pods/attach', '-n', 'agents'];
  await kube.kubectl(['create', 'role', 'runner', ...role]);
  await kube.kubectl(['create', 'rolebinding', 'runner', '--role=runner', '--user=owner', '-n', 'agents']);
  const owner = await kube.kubeconfigOf('owner');
  const inside = (container: string, as: string): Promise<CommandResult> =>
    kube.tryKubectl(['exec', 'run', '--kubeconfig', as, '-n', 'agents', '-c', container, '--', 'node']);
  // Nothing runs these pods: whoever is let in is told that they have no node.
  const letIn = /does not have a host assigned/;
  // Each admission policy is in force at a moment of its own.
  await until('the admission policy for exec', async () => !letIn.test((await inside('sallyport', owner)).stderr));
  for (const container of ['sallyport', 'sallyport-redirect']) {
    const { code, stderr } = await inside(container, owner);
    assert.notEqual(code, 0);
    assert.match(stderr, /holds the key of its identity; choose a container of the agent/, container);
    assert.match((await inside(container, kube.kubeconfig)).stderr, letIn, 'who may ask kubelets directly');
  }
  assert.match((await inside('agent', owner)).stderr, letIn);
  await kube.kubectl(['create', 'serviceaccount', 'runner', '-n', 'agents']);
  const bound = ['--role=runner', '--serviceaccount=agents:runner', '-n', 'agents'];
  await kube.kubectl(['create', 'rolebinding', 'runner-too', ...bound]);
  const token = await kube.requestToken({ namespace: 'agents', serviceAccount: 'runner' });
  const attach = async (container: string): Promise<number> =>
    (await kube.call({ path: `/api/v1/namespaces/agents/pods/run/attach?stdout=true&container=${container}`, token }))
      .status;
  assert.equal(await attach('sallyport'), 403);
  assert.equal(await attach('agent'), 400);
});
