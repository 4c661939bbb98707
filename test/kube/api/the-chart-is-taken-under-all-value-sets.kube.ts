import assert from 'node:assert/strict';
import { test } from 'node:test';

import { stringify } from 'yaml';

import { VALUE_SETS, render } from '../../support/chart.ts';
import { startApiServer } from '../api-server.ts';

import type { KubeObject } from '../../support/kube-schemas.ts';

const SYSTEM = 'sallyport-system';
/** Kinds of operators that are not there. */
const FOREIGN = new Set(['Certificate', 'Issuer', 'ServiceMonitor', 'PodMonitor']);
/** The namespaces that value sets name, and that of `helm test`. */
const NAMESPACES = [SYSTEM, 'agents', 'tools', 'sallyport-test'];

type Workload = KubeObject & {
  readonly spec?: {
    readonly template?: { readonly metadata: object; readonly spec: { readonly volumes: readonly object[] } };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
};

/** The pod that a workload makes: its template is judged when the pod is made, which here nobody does. */
function podsOf(object: KubeObject): readonly object[] {
  const { template, volumeClaimTemplates = [] } = (object as Workload).spec ?? {};
  if (template === undefined) return [];
  const claims = volumeClaimTemplates.map(({ metadata: { name } }) => ({
    name,
    persistentVolumeClaim: { claimName: name },
  }));
  const metadata = { ...template.metadata, name: `${object.metadata.name}-pod`, namespace: SYSTEM };
  const spec = { ...template.spec, volumes: [...template.spec.volumes, ...claims] };
  return [{ apiVersion: 'v1', kind: 'Pod', metadata, spec }];
}

test('a real API server takes everything that the chart makes, strictly, in a restricted namespace', async (context) => {
  const kube = await startApiServer(context);
  for (const name of NAMESPACES)
    await kube.createNamespace(name, name === SYSTEM ? { 'pod-security.kubernetes.io/enforce': 'restricted' } : {});
  // Pods are admitted where their service account is there.
  for (const name of ['sallyport', 'sp'])
    for (const part of ['injector', 'authority', 'test']) await kube.createServiceAccount(SYSTEM, `${name}-${part}`);
  await kube.kubectl(['create', 'priorityclass', 'sallyport', '--value=900000000']);
  for (const { name, file } of VALUE_SETS)
    await context.test(name, async () => {
      const objects = (await render(file)).filter(({ kind }) => !FOREIGN.has(kind));
      // The admission of priorities wants the class to be there: it is, and is not made twice.
      const made = objects.filter(({ kind }) => kind !== 'PriorityClass');
      const wanted = [...made, ...made.flatMap(podsOf)];
      const stream = wanted.map((object) => stringify(object)).join('---\n');
      const { code, stdout, stderr } = await kube.tryKubectl(
        ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict', '-f', '-'],
        { input: stream },
      );
      assert.equal(code, 0, stderr);
      assert.equal(stdout.trim().split('\n').length, wanted.length);
      assert.doesNotMatch(stderr, /violate PodSecurity|unknown field/);
    });
});
