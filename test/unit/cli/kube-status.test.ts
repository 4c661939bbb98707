import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sallyport } from '../../support/cli.ts';
import { fakeKubectl } from '../../support/fake-kubectl.ts';
import { CONFIG_HASH, injectorPod, listedPodObject, sidecarStatus } from '../../support/kube-objects.ts';
import { tempFolder } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { FakeCluster } from '../../support/fake-kubectl.ts';

const LABELLED = 'namespaces --selector=sallyport.dev/inject=enabled';
const INJECTORS =
  'pods --all-namespaces --selector=app.kubernetes.io/name=sallyport,app.kubernetes.io/component=injector';
const AGENTS = { metadata: { name: 'agents', labels: { 'sallyport.dev/inject': 'enabled' } } };

/** A cluster with one labelled namespace and one injector. */
function cluster(
  pods: readonly object[],
  status: FakeCluster['status'] = {},
  over: Partial<FakeCluster> = {},
): FakeCluster {
  return {
    get: {
      [LABELLED]: { items: [AGENTS] },
      [INJECTORS]: { items: [injectorPod()] },
      'pods --namespace=agents': { items: pods },
      'namespaces --field-selector=metadata.name=agents': { items: [AGENTS] },
    },
    status: { 'sallyport-system/injector-1:8080': { version: '0.2.0', config: CONFIG_HASH }, ...status },
    ...over,
  };
}

async function kubeStatus(context: TestContext, what: FakeCluster, args: readonly string[] = []) {
  const fake = await fakeKubectl(context, what);
  const run = await sallyport(['kube', 'status', ...args], { KUBECTL: fake.program });
  return { ...run, fake, text: run.out.join('\n') };
}

test('kube status: pods without trouble are a table and exit 0', async (context) => {
  const pods = [listedPodObject('one'), listedPodObject('two', { capture: 'plain' })];
  const status = { 'agents/one:15000': sidecarStatus(), 'agents/two:15000': sidecarStatus({ mode: 'shadow' }) };
  const { code, out, err } = await kubeStatus(context, cluster(pods, status));
  assert.deepEqual([code, err], [0, []]);
  assert.match(
    out[0] ?? '',
    /^NAMESPACE {2}POD {2}INJECTED {2}VERSION {2}CAPTURE {3}MODE {5}CERTIFICATE +POLICY {2}CANDIDATE$/,
  );
  assert.match(
    out[1] ?? '',
    /^agents {5}one {2}yes {7}0\.2\.0 {4}redirect {2}enforce {2}\d\dm \(\d{4}-[\dT:-]+Z\) {2}rev-1 {3}rev-2$/,
  );
  assert.match(out[2] ?? '', /two {2}yes {7}0\.2\.0 {4}plain {5}shadow/);
  assert.equal(out[3], '2 pods, 0 with problems; the injector is of version 0.2.0');
});

test('kube status: a pod without a sidecar in a labelled namespace is shown loudly, exit 1', async (context) => {
  const { code, text } = await kubeStatus(context, cluster([listedPodObject('bare', { sidecar: false })]));
  assert.equal(code, 1);
  assert.match(text, /agents {5}bare {2}no .*\n {2}! NO SIDECAR: it is not guarded/);
});

test('kube status: a pod that asked for no sidecar is shown, and nobody has to act', async (context) => {
  const labels = { 'sallyport.dev/inject': 'disabled' };
  const { code, text } = await kubeStatus(context, cluster([listedPodObject('bare', { sidecar: false, labels })]));
  assert.equal(code, 0);
  assert.match(text, /bare {2}opted-out/);
});

test('kube status: pods that ended or are ending are neither asked nor wrong', async (context) => {
  const pods = [
    listedPodObject('job', { phase: 'Succeeded' }),
    listedPodObject('old', { sidecar: false, phase: 'Failed' }),
    listedPodObject('going', {
      metadata: { name: 'going', namespace: 'agents', deletionTimestamp: '2026-01-01T00:00:00Z' },
    }),
  ];
  const { code, text, fake } = await kubeStatus(context, cluster(pods));
  assert.equal(code, 0);
  assert.match(text, /job +yes \(Succeeded\)/);
  assert.deepEqual(
    (await fake.calls()).filter((call) => call.includes('namespace=agents --address')),
    [],
  );
});

test('kube status: a pod of another version or other settings than the injector has is outdated', async (context) => {
  const pods = [
    listedPodObject('a', { version: '0.1.0' }),
    listedPodObject('b', { config: 'sha256:0000' }),
    listedPodObject('c'),
  ];
  const status = Object.fromEntries(['a', 'b', 'c'].map((name) => [`agents/${name}:15000`, sidecarStatus()]));
  const { code, out } = await kubeStatus(context, cluster(pods, status), ['--json']);
  assert.equal(code, 1);
  const { pods: told } = JSON.parse(out.join('')) as { pods: { injected: string; problems: string[] }[] };
  assert.deepEqual(
    told.map(({ injected }) => injected),
    ['outdated', 'outdated', 'yes'],
  );
  assert.match(told[0]?.problems[0] ?? '', /restart it/);
});

test('kube status: what a sidecar reports, an expired and an expiring certificate, and none, are problems', async (context) => {
  const soon = { id: 'spiffe://example.org/a', notAfter: new Date(Date.now() + 60_000).toISOString() };
  const past = { id: 'spiffe://example.org/a', notAfter: '2020-01-01T00:00:00Z' };
  const status = {
    'agents/a:15000': sidecarStatus({ problems: ['policy: does not compile\u001b[2J', { part: 'journal' }] }),
    'agents/b:15000': sidecarStatus({ identity: soon }),
    'agents/c:15000': sidecarStatus({ identity: past }),
    'agents/d:15000': sidecarStatus({ identity: undefined }),
  };
  const pods = ['a', 'b', 'c', 'd'].map((name) => listedPodObject(name));
  const { code, text } = await kubeStatus(context, cluster(pods, status));
  assert.equal(code, 1);
  assert.match(text, /! policy: does not compile\\u\{1b\}\[2J\n {2}! \{"part":"journal"\}/);
  assert.match(text, /b .* \d\ds \(.*\n {2}! its certificate expires soon, and was not renewed/);
  assert.match(text, /c .*expired \(2020-01-01T00:00:00Z\).*\n {2}! its certificate has expired/);
  assert.match(text, /d .*\n {2}! has no certificate/);
  assert.match(text, /4 pods, 4 with problems/);
});

test('kube status: a sidecar that cannot be asked, or answers nonsense, is a problem of that pod alone', async (context) => {
  const pods = ['a', 'b', 'c', 'd'].map((name) => listedPodObject(name));
  const status = { 'agents/b:15000': 503, 'agents/c:15000': ['no', 'status'], 'agents/d:15000': sidecarStatus() };
  const { code, text } = await kubeStatus(context, cluster(pods, status));
  assert.equal(code, 1);
  assert.match(text, /a .*\n {2}! cannot be asked: .*unable to forward port/);
  assert.match(text, /b .*\n {2}! cannot be asked: answered with status 503/);
  assert.match(text, /c .*\n {2}! answered with something else than a status/);
  assert.match(text, /d .*rev-1.*\n4 pods, 3 with problems/);
});

test('kube status: a container of ours that does not start says why; one that waits its turn is no problem', async (context) => {
  const state = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } };
  const pods = [
    listedPodObject('a', { phase: 'Pending', state }),
    listedPodObject('b', { phase: 'Pending', state: { waiting: { reason: 'PodInitializing' } } }),
    listedPodObject('c', { phase: 'Pending', state: { terminated: { exitCode: 3 } } }),
  ];
  const { code, text } = await kubeStatus(context, cluster(pods));
  assert.equal(code, 1);
  assert.match(text, /a .*\n {2}! container sallyport: CrashLoopBackOff \(back-off 10s\)\n/);
  assert.match(text, /b {4}yes \(Pending\).*\nagents/);
  assert.match(text, /c .*\n {2}! container sallyport: ended with 3\n/);
});

test('kube status: many pods are asked, at most eight at once, and no process is left', async (context) => {
  const names = Array.from({ length: 20 }, (_, index) => `pod-${index}`);
  const status = Object.fromEntries(names.map((name) => [`agents/${name}:15000`, sidecarStatus()]));
  const { code, out, fake } = await kubeStatus(
    context,
    cluster(
      names.map((name) => listedPodObject(name)),
      status,
    ),
  );
  assert.deepEqual([code, out.length], [0, 22]);
  assert.ok((await fake.mostAtOnce()) <= 8);
  for (const pid of await fake.pids()) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

test('kube status -n: one namespace; that it is not labelled is a warning, that it is not there exit 3', async (context) => {
  const here = cluster([listedPodObject('one')], { 'agents/one:15000': sidecarStatus() });
  const { code, fake } = await kubeStatus(context, here, ['-n', 'agents', '--context', 'lab']);
  assert.equal(code, 0);
  assert.ok((await fake.calls()).every((call) => call.startsWith('--context=lab ')));
  const bare = {
    ...here,
    get: { ...here.get, 'namespaces --field-selector=metadata.name=agents': { items: [{ metadata: {} }] } },
  };
  const warned = await kubeStatus(context, bare, ['-n', 'agents']);
  assert.match(warned.err.join('\n'), /warning: namespace agents has no label sallyport\.dev\/inject=enabled/);
  const none = { ...here, get: { ...here.get, 'namespaces --field-selector=metadata.name=agents': { items: [] } } };
  const missing = await kubeStatus(context, none, ['-n', 'agents']);
  assert.deepEqual([missing.code, missing.err], [3, ['sallyport kube status: there is no namespace agents']]);
});

test('kube status: who may not see the injector is told that outdated pods cannot be known, and sees the rest', async (context) => {
  const all = cluster([listedPodObject('one', { version: '0.0.1' })], { 'agents/one:15000': sidecarStatus() });
  const get = Object.fromEntries(Object.entries(all.get).filter(([key]) => key !== INJECTORS));
  const { code, err, text } = await kubeStatus(context, { ...all, get });
  assert.equal(code, 0);
  assert.match(err.join('\n'), /whether pods are outdated is not known in full/);
  assert.match(text, /one {2}yes/);
});

test('kube status: no injector that runs, and no labelled namespace, are told', async (context) => {
  const none = { [LABELLED]: { items: [] }, [INJECTORS]: { items: [] } };
  const { code, out, err } = await kubeStatus(context, { get: none });
  assert.deepEqual([code, out], [0, ['no pods in labelled namespaces']]);
  assert.match(err.join('\n'), /no namespace has the label[\s\S]*no injector is running/);
});

test('kube status: no kubectl, and one that fails, are exit 3 with what to do', async (context) => {
  const missing = await sallyport(['kube', 'status'], { KUBECTL: `${await tempFolder(context)}/kubectl` });
  assert.equal(missing.code, 3);
  assert.match(missing.err.join('\n'), /there is no such program; install kubectl, or name it in KUBECTL$/);
  const refused = await kubeStatus(context, { get: {} });
  assert.equal(refused.code, 3);
  assert.match(refused.err.join('\n'), /Error from server \(NotFound\)/);
});

test('kube status: wrong use is exit 2', async () => {
  for (const args of [
    ['-n', 'a', '-A'],
    ['-n', '--as=admin'],
    ['-n', 'A_B'],
  ]) {
    assert.equal((await sallyport(['kube', 'status', ...args], { KUBECTL: '/none' })).code, 2, args.join(' '));
  }
});
