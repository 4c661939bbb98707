import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CHART, field } from '../../support/chart.ts';
import { until } from '../../support/until.ts';
import { startApiServer, type ApiServer } from '../api-server.ts';

const SYSTEM = 'sallyport-system';
const INJECTOR = `system:serviceaccount:${SYSTEM}:sallyport-injector`;
const AUTHORITY = `system:serviceaccount:${SYSTEM}:sallyport-authority`;
const CONFIGURATION = ['mutatingwebhookconfiguration', 'sallyport'] as const;
const SECRET = ['secret', 'sallyport-injector-tls', '-n', SYSTEM] as const;
const TRUST = ['configmap', 'sallyport-trust', '-n', SYSTEM] as const;

/** Every kind that a chart of ours can have. */
const KINDS = [
  'deployments,statefulsets,services,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets',
  'clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings,priorityclasses,namespaces',
];

async function get(kube: ApiServer, object: readonly string[]): Promise<unknown> {
  return JSON.parse(await kube.kubectl(['get', ...object, '-o', 'json']));
}

/** What components write while they run, each with its own rights. */
async function fill(kube: ApiServer): Promise<void> {
  const caBundle = Buffer.from(kube.caPem).toString('base64');
  const patch = [{ op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: caBundle }];
  await kube.kubectl(['patch', ...CONFIGURATION, '--as', INJECTOR, '--type=json', '-p', JSON.stringify(patch)]);
  const secret = (await get(kube, [...SECRET, '--as', INJECTOR])) as object;
  await kube.kubectl(['replace', '--as', INJECTOR, '-f', '-'], JSON.stringify({ ...secret, data: { state: 'eA==' } }));
  const roots = { 'roots.pem': kube.caPem };
  const metadata = { name: 'sallyport-trust', namespace: SYSTEM };
  await kube.kubectl(
    ['apply', '--server-side', '--field-manager=sallyport-authority', '--as', AUTHORITY, '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: roots }),
  );
}

/** What has to stand whatever helm does: the very same configuration, closed and believed, and what the components wrote. */
async function standing(kube: ApiServer): Promise<object> {
  const [configuration, secret, trust] = await Promise.all([CONFIGURATION, SECRET, TRUST].map((one) => get(kube, one)));
  return {
    uid: field(configuration, 'metadata', 'uid'),
    failurePolicy: field(configuration, 'webhooks', 0, 'failurePolicy'),
    caBundle: field(configuration, 'webhooks', 0, 'clientConfig', 'caBundle'),
    secret: field(secret, 'data'),
    trust: field(trust, 'data'),
  };
}

for (const [how, flags] of [
  ['with server-side apply', []],
  ['with a three-way merge', ['--server-side=false']],
] as const)
  test(`installed, upgraded, rolled back ${how}: the webhook stands throughout, and nothing stays`, async (context) => {
    const kube = await startApiServer(context);
    await kube.createNamespace(SYSTEM, { 'pod-security.kubernetes.io/enforce': 'restricted' });
    await kube.createNamespace('agents', { 'sallyport.dev/inject': 'enabled' });
    await kube.createNamespace('plain');
    const at = ['sallyport', CHART, '-n', SYSTEM];
    await kube.helm(['install', ...at, ...flags]);

    const pod = ['run', 'bare', '--image=agent:1', '--dry-run=server'];
    const refused = await kube.tryKubectl([...pod, '-n', 'agents']);
    assert.match(refused.stderr, /failed calling webhook "inject\.sallyport\.dev"/);
    await kube.kubectl([...pod, '-n', 'plain']);
    await kube.kubectl([...pod, '-n', SYSTEM, '--overrides', JSON.stringify({ spec: restricted() })]);

    await fill(kube);
    const before = await standing(kube);
    assert.equal(field(before, 'failurePolicy'), 'Fail');
    assert.equal(field(before, 'caBundle'), Buffer.from(kube.caPem).toString('base64'));
    await kube.helm([
      'upgrade',
      ...at,
      '--set',
      'sidecar.mode=shadow,webhook.timeoutSeconds=7,injector.replicas=3',
      ...flags,
    ]);
    assert.equal(field(await get(kube, CONFIGURATION), 'webhooks', 0, 'timeoutSeconds'), 7);
    assert.deepEqual(await standing(kube), before);
    await kube.helm(['rollback', 'sallyport', '1', '-n', SYSTEM, ...flags]);
    assert.equal(field(await get(kube, CONFIGURATION), 'webhooks', 0, 'timeoutSeconds'), 10);
    assert.deepEqual(await standing(kube), before);

    await kube.helm(['uninstall', 'sallyport', '-n', SYSTEM]);
    for (const kinds of KINDS) {
      const left = await kube.kubectl(['get', kinds, '-A', '-l', 'app.kubernetes.io/name=sallyport', '-o', 'name']);
      assert.equal(left, '');
    }
    // The API server forgets a policy within a second or so.
    await until('pods as before', async () => (await kube.tryKubectl([...pod, '-n', 'agents'])).code === 0);
  });

/** Lists the ConfigMaps of one name in all namespaces. */
function named(name: string): readonly string[] {
  return ['get', 'configmaps', '-A', '--field-selector', `metadata.name=${name}`];
}

function restricted(): object {
  const securityContext = {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  return { containers: [{ name: 'bare', image: 'agent:1', securityContext }] };
}

test('the rights of injector and authority are what they need, and no more', async (context) => {
  const kube = await startApiServer(context);
  await kube.createNamespace(SYSTEM);
  await kube.createNamespace('agents');
  await kube.helm(['install', 'sallyport', CHART, '-n', SYSTEM]);
  const may = async (who: string, args: readonly string[]): Promise<boolean> =>
    (await kube.tryKubectl([...args, '--as', who])).code === 0;
  const CASES: readonly (readonly [who: string, args: readonly string[], allowed: boolean])[] = [
    [INJECTOR, ['get', 'namespaces'], true],
    [INJECTOR, named('sallyport-policy'), true],
    [INJECTOR, named('sallyport-policy-candidate'), true],
    [INJECTOR, named('kube-root-ca.crt'), false],
    [INJECTOR, ['get', 'configmaps', '-A'], false],
    [INJECTOR, ['get', 'configmaps', '-n', SYSTEM], false],
    [INJECTOR, ['get', ...SECRET], true],
    [INJECTOR, ['get', 'secrets', '-n', SYSTEM, '--field-selector', 'metadata.name=sallyport-injector-tls'], true],
    [INJECTOR, ['get', 'secrets', '-n', SYSTEM], false],
    [INJECTOR, ['delete', ...SECRET, '--dry-run=server'], false],
    [INJECTOR, ['create', 'secret', 'generic', 'x', '-n', SYSTEM, '--dry-run=server'], false],
    [INJECTOR, ['get', ...CONFIGURATION], true],
    [INJECTOR, ['delete', ...CONFIGURATION, '--dry-run=server'], false],
    [INJECTOR, ['get', 'mutatingwebhookconfigurations'], false],
    [INJECTOR, ['get', 'pods', '-A'], false],
    [INJECTOR, ['get', 'serviceaccounts', '-A'], false],
    [INJECTOR, ['create', 'namespace', 'x', '--dry-run=server'], false],
    [AUTHORITY, ['get', ...TRUST], true],
    [AUTHORITY, ['get', 'configmaps', '-n', SYSTEM], false],
    [AUTHORITY, ['auth', 'can-i', 'create', 'tokenreviews.authentication.k8s.io'], true],
    [AUTHORITY, ['auth', 'can-i', 'get', 'pods', '-n', 'agents'], true],
    [AUTHORITY, ['auth', 'can-i', 'list', 'pods', '-n', 'agents'], false],
    [AUTHORITY, ['auth', 'can-i', 'create', 'serviceaccounts/token', '-n', 'agents'], false],
    [AUTHORITY, ['get', 'namespaces'], false],
  ];
  for (const [who, args, allowed] of CASES)
    assert.equal(await may(who, args), allowed, `${who.split(':').at(-1) ?? ''} ${args.join(' ')}`);
});
