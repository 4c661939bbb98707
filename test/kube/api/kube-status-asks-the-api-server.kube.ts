import assert from 'node:assert/strict';
import { test } from 'node:test';

import { chartSettings } from '../../../src/app/kube/chart-settings.ts';
import { checkPods } from '../../../src/app/kube/check-pods.ts';
import { sallyport } from '../../support/cli.ts';
import { listedPodObject } from '../../support/kube-objects.ts';
import { startApiServer } from '../api-server.ts';

import type { ApiServer } from '../api-server.ts';

const IMAGE = 'registry.invalid/app:1';

/** A pod of a test's listing as somebody would create it. */
function created(name: string, facts: Parameters<typeof listedPodObject>[1] = {}): object {
  const { status: _, ...pod } = listedPodObject(name, facts) as {
    status: unknown;
    spec: { initContainers: object[]; containers: object[] };
  };
  const { initContainers, containers, ...spec } = pod.spec;
  return {
    ...pod,
    spec: { ...spec, initContainers: initContainers.map(withImage), containers: containers.map(withImage) },
  };
}

function withImage(container: object): object {
  return { image: IMAGE, ...container };
}

function statusOf(server: ApiServer, args: readonly string[] = [], kubeconfig = server.kubeconfig) {
  const env = Object.fromEntries(
    Object.entries(server.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  return sallyport(['kube', 'status', ...args], { ...env, KUBECONFIG: kubeconfig });
}

test('kube status, with the real kubectl and API server', async (context) => {
  const server = await startApiServer(context);
  await server.createNamespace('agents', { 'sallyport.dev/inject': 'enabled' });
  await server.createNamespace('others');
  await server.kubectl(['create', '--validate=strict', '-f', '-'], JSON.stringify(created('bare', { sidecar: false })));
  await server.kubectl(['create', '--validate=strict', '-f', '-'], JSON.stringify(created('waiting')));
  await server.kubectl(
    ['create', '-f', '-'],
    JSON.stringify(created('elsewhere', { sidecar: false, namespace: 'others' })),
  );

  await context.test('pods of labelled namespaces are listed, and those without a sidecar told', async () => {
    const { code, out, err } = await statusOf(server);
    assert.equal(code, 1, err.join('\n'));
    assert.match(
      out.join('\n'),
      /agents {5}bare +no \(Pending\) .*\n {2}! NO SIDECAR[^\n]*\nagents {5}waiting +yes \(Pending\) +0\.2\.0 +redirect +enforce/,
    );
    assert.equal(out.join('\n').includes('elsewhere'), false);
    assert.match(err.join('\n'), /no injector is running/);
  });

  await context.test('one namespace, labelled or not, or none', async () => {
    assert.equal((await statusOf(server, ['-n', 'agents'])).code, 1);
    const unlabelled = await statusOf(server, ['-n', 'others']);
    assert.match(unlabelled.err.join('\n'), /namespace others has no label/);
    const missing = await statusOf(server, ['-n', 'nowhere']);
    assert.deepEqual([missing.code, missing.err], [3, ['sallyport kube status: there is no namespace nowhere']]);
  });

  await context.test('who may list nothing is told what the API server said, exit 3', async () => {
    const kubeconfig = await server.kubeconfigOf('nobody');
    const { code, err } = await statusOf(server, [], kubeconfig);
    assert.equal(code, 3);
    assert.match(err.join('\n'), /Forbidden.*nobody.*namespaces/);
  });

  await context.test('what kube check shows as injected, the API server takes', async () => {
    const settings = chartSettings({}, '0.2.0');
    assert.ok(settings.ok);
    const ports = [{ name: 'http', containerPort: 8080 }];
    const probe = { httpGet: { path: '/', port: 'http' } };
    const value = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'agents' },
      spec: { containers: [{ name: 'app', image: IMAGE, ports, readinessProbe: probe, livenessProbe: probe }] },
    };
    const facts = { version: '0.2.0', roots: 'roots' };
    const [verdict] = checkPods([{ line: 1, value }], { settings: settings.value, facts, namespace: 'agents' });
    assert.ok(verdict?.verdict === 'injected');
    const made = await server.kubectl(
      ['create', '--dry-run=server', '--validate=strict', '-o', 'name', '-f', '-'],
      JSON.stringify(verdict.after),
    );
    assert.equal(made.trim(), 'pod/p');
  });
});
