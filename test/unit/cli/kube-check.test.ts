import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { sallyport } from '../../support/cli.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: researcher, namespace: agents}
spec:
  template:
    metadata: {labels: {app: researcher}}
    spec:
      serviceAccountName: researcher
      containers:
        - name: app
          image: researcher:1
          ports: [{name: http, containerPort: 8080}, {name: grpc-api, containerPort: 9090}]
          readinessProbe: {httpGet: {path: /ready, port: http}}
`;

const HOSTILE = `
apiVersion: batch/v1
kind: CronJob
metadata: {name: "night\\e[2Jly"}
spec:
  jobTemplate:
    spec:
      template:
        metadata: {annotations: {sallyport.dev/prots: "8080"}}
        spec:
          hostNetwork: true
          containers: [{name: sallyport, image: x, securityContext: {privileged: true}}]
`;

async function check(context: TestContext, files: Readonly<Record<string, string>>, args: readonly string[] = []) {
  const folder = await tempFolder(context);
  await writeFiles(folder, files);
  const named = Object.keys(files).filter((name) => name.startsWith('pods'));
  const given = args.map((arg) => (Object.hasOwn(files, arg) ? join(folder, arg) : arg));
  const run = await sallyport(['kube', 'check', ...named.flatMap((name) => ['-f', join(folder, name)]), ...given]);
  return {
    ...run,
    folder,
    text: run.out.join('\n').replaceAll(`${folder}/`, ''),
    errors: run.err.join('\n').replaceAll(`${folder}/`, ''),
  };
}

test('kube check: what would be injected is told, exit 0', async (context) => {
  const { code, text } = await check(context, { 'pods.yaml': DEPLOYMENT });
  assert.equal(code, 0);
  assert.match(text, /^pods\.yaml:2: Deployment agents\/researcher: injected$/m);
  assert.match(
    text,
    /guarded: 0\.0\.0\.0:15100 -> http:\/\/127\.0\.0\.1:8080, 0\.0\.0\.0:15101 -> h2c:\/\/127\.0\.0\.1:9090/,
  );
  assert.match(text, /capture: redirect; policy mode: enforce; init containers: sallyport-redirect, sallyport/);
  assert.match(text, /probes through the sidecar: app\/readiness/);
  assert.match(text, /1 injected, 0 skipped, 0 refused$/);
});

test('kube check: a pod that would be refused is exit 1, with every reason and its path in the object, made inert', async (context) => {
  const { code, text } = await check(context, { 'pods.yaml': DEPLOYMENT, 'pods2.yaml': HOSTILE }, ['-n', 'lab']);
  assert.equal(code, 1);
  assert.match(text, /^pods2\.yaml:2: CronJob lab\/night\\u\{1b\}\[2Jly: refused$/m);
  const pod = 'spec.jobTemplate.spec.template';
  for (const path of ['spec.hostNetwork', 'spec.containers[0].name', 'metadata.annotations[sallyport.dev/prots]'])
    assert.ok(text.includes(`  ${pod}.${path}: `), path);
  assert.match(text, /did you mean sallyport\.dev\/ports\?.*\(annotation_unknown\)/);
  assert.match(text, /1 injected, 0 skipped, 1 refused$/);
});

test('kube check --diff: the pod before and after', async (context) => {
  const { text } = await check(context, { 'pods.yaml': DEPLOYMENT }, ['--diff']);
  assert.match(text, /^--- pods\.yaml:2: Deployment agents\/researcher$/m);
  assert.match(text, /^\+ {4}- name: sallyport-redirect$/m);
  assert.match(text, /^- {10}path: \/ready$/m);
  assert.match(text, /^\+ {10}path: \/probe\/app\/readiness$/m);
});

test('kube check --json: the same as data, without the pods themselves', async (context) => {
  const { code, out } = await check(context, { 'pods.yaml': `${DEPLOYMENT}---${HOSTILE}` }, ['--json']);
  assert.equal(code, 1);
  const { ok, pods } = JSON.parse(out.join('')) as { ok: boolean; pods: Record<string, unknown>[] };
  assert.equal(ok, true);
  assert.deepEqual(
    pods.map(({ verdict, kind, namespace }) => [verdict, kind, namespace]),
    [
      ['injected', 'Deployment', 'agents'],
      ['refused', 'CronJob', 'default'],
    ],
  );
  assert.equal(out.join('').includes('SALLYPORT_CONFIG'), false);
});

test("kube check --values: the chart's values decide, and what is wrong in them is exit 2", async (context) => {
  const plain = await check(context, { 'pods.yaml': DEPLOYMENT, 'v.yaml': 'sidecar: {capture: plain, mode: shadow}' }, [
    '--values',
    'v.yaml',
  ]);
  assert.match(plain.text, /capture: plain; policy mode: shadow; init containers: sallyport$/m);
  const wrong = await check(context, { 'pods.yaml': DEPLOYMENT, 'v.yaml': 'sidecar: {capture: both}' }, [
    '--values',
    'v.yaml',
  ]);
  assert.equal(wrong.code, 2);
  assert.match(
    wrong.errors,
    /^sallyport kube check: v\.yaml: sidecar\.capture: expected .*redirect.*plain, found "both"$/,
  );
});

test("kube check --config: the injector's file decides, mistakes are told with their lines", async (context) => {
  const config = `
policyService: {}
trust: {roots: roots.pem}
sidecar:
  trustDomain: example.org
  image: sallyport:1
  capture: plain
  overrides: [opt-out]
  identity: {authority: {url: "https://ca:8444", id: "spiffe://example.org/ca"}}
  policy: {namespace: {url: "https://policy:8445", id: "spiffe://example.org/policy"}}
`;
  const labelled = DEPLOYMENT.replace('{app: researcher}', '{sallyport.dev/inject: disabled}');
  const files = { 'pods.yaml': `${DEPLOYMENT}---${labelled}`, 'i.yaml': config };
  const { code, text } = await check(context, files, ['--config', 'i.yaml']);
  assert.equal(code, 0);
  assert.match(text, /capture: plain/);
  assert.match(text, /: skipped, the pod's label sallyport\.dev\/inject is disabled/);
  const wrong = await check(context, { ...files, 'i.yaml': config.replace('plain', 'both') }, ['--config', 'i.yaml']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.errors, /i\.yaml:7:\d+: sidecar\.capture: expected/);
});

test('kube check: bad input is exit 2, what cannot be read 3, and both are data with --json', async (context) => {
  const bad = await check(context, { 'pods.yaml': 'a: [\n---\n}' });
  assert.deepEqual([bad.code, bad.text], [2, '']);
  assert.match(bad.errors, /^sallyport kube check: pods\.yaml:\d+:\d+: /);
  const gone = await sallyport(['kube', 'check', '-f', join(bad.folder, 'none.yaml'), '--json']);
  assert.equal(gone.code, 3);
  const { ok, problems } = JSON.parse(gone.out.join('')) as { ok: boolean; problems: string[] };
  assert.equal(ok, false);
  assert.match(problems[0] ?? '', /none\.yaml: /);
});

test('kube check: manifests without pods are told, exit 0', async (context) => {
  const { code, text } = await check(context, { 'pods.yaml': 'kind: Service\n' });
  assert.deepEqual([code, text], [0, 'no pods in these manifests']);
});

test('kube check: wrong use is exit 2', async (context) => {
  const both = await check(context, { 'pods.yaml': DEPLOYMENT, 'v.yaml': '{}' }, [
    '--values',
    'v.yaml',
    '--config',
    'v.yaml',
  ]);
  assert.equal(both.code, 2);
  assert.match(both.errors, /either --config FILE or --values FILE/);
  assert.equal((await sallyport(['kube', 'check'])).code, 2);
});
