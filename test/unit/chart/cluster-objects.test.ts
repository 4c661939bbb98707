import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { NO_HELM, VALUE_SETS, field, only, render } from '../../support/chart.ts';

import type { KubeObject } from '../../support/kube-schemas.ts';

const skip = NO_HELM;

function fileOf(name: string): string {
  const found = VALUE_SETS.find((set) => set.name === name);
  assert.ok(found, name);
  return found.file;
}

async function webhookOf(set: string, name = 'sallyport'): Promise<unknown> {
  const objects = await render(fileOf(set));
  return field(only(objects, 'MutatingWebhookConfiguration', name), 'webhooks', 0);
}

describe('the webhook', { skip }, () => {
  test('fails closed, in labelled namespaces only, and never in its own or those of the system', async () => {
    const webhook = await webhookOf('defaults');
    assert.equal(field(webhook, 'failurePolicy'), 'Fail');
    assert.equal(field(webhook, 'sideEffects'), 'None');
    assert.equal(field(webhook, 'reinvocationPolicy'), 'IfNeeded');
    assert.deepEqual(field(webhook, 'namespaceSelector', 'matchExpressions'), [
      { key: 'sallyport.dev/inject', operator: 'In', values: ['enabled'] },
      {
        key: 'kubernetes.io/metadata.name',
        operator: 'NotIn',
        values: ['kube-system', 'kube-node-lease', 'sallyport-system'],
      },
    ]);
  });

  test('sees pods that are made and ephemeral containers that are added, and nothing else', async () => {
    const rules = field(await webhookOf('defaults'), 'rules');
    assert.deepEqual(
      (rules as readonly unknown[]).map((rule) => [field(rule, 'resources', 0), field(rule, 'operations')]),
      [
        ['pods', ['CREATE']],
        ['pods/ephemeralcontainers', ['UPDATE']],
      ],
    );
  });

  test('keeps its hands off caBundle unless the certificate is somebody else’s', async () => {
    for (const set of ['defaults', 'cert-manager'])
      assert.equal(field(await webhookOf(set), 'clientConfig', 'caBundle'), undefined, set);
    assert.match(String(field(await webhookOf('own-certificate'), 'clientConfig', 'caBundle')), /^[A-Za-z0-9+/=]+$/);
  });

  test('lets a pod opt out only where the platform lets pods do so', async () => {
    assert.deepEqual(field(await webhookOf('defaults'), 'objectSelector'), {});
    assert.deepEqual(field(await webhookOf('pods-may-say-much'), 'objectSelector', 'matchExpressions'), [
      { key: 'sallyport.dev/inject', operator: 'NotIn', values: ['disabled'] },
    ]);
  });

  test('is fed by cert-manager where that makes the certificate', async () => {
    const objects = await render(fileOf('cert-manager'));
    const { metadata } = only(objects, 'MutatingWebhookConfiguration', 'sallyport');
    assert.equal(metadata.annotations?.['cert-manager.io/inject-ca-from'], 'sallyport-system/sallyport-injector');
    const secret = field(only(objects, 'Certificate', 'sallyport-injector'), 'spec', 'secretName');
    const volumes = field(only(objects, 'Deployment', 'sallyport-injector'), 'spec', 'template', 'spec', 'volumes');
    assert.ok((volumes as readonly unknown[]).some((volume) => field(volume, 'secret', 'secretName') === secret));
    assert.equal(objects.filter(({ kind }) => kind === 'Secret').length, 0);
  });

  test('has a name of its own in another namespace, and calls its own Service', async () => {
    const objects = await render(fileOf('defaults'), {}, 'other');
    const webhook = field(only(objects, 'MutatingWebhookConfiguration', 'sallyport-other'), 'webhooks', 0);
    assert.equal(field(webhook, 'clientConfig', 'service', 'namespace'), 'other');
    assert.ok(JSON.stringify(field(webhook, 'namespaceSelector')).includes('"other"'));
  });
});

type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
};

/** Every right that the chart gives, one a line: ROLE: VERBS RESOURCE NAMES. */
function rights(objects: readonly KubeObject[]): readonly string[] {
  return objects
    .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole')
    .flatMap((role) =>
      (field(role, 'rules') as readonly Rule[]).map(
        ({ resources, verbs, resourceNames = ['*'] }) =>
          `${role.kind} ${role.metadata.name}: ${verbs.join()} ${resources.join()} ${resourceNames.join()}`,
      ),
    )
    .sort();
}

describe('rights', { skip }, () => {
  test('are these and no others', async () => {
    assert.deepEqual(rights(await render(fileOf('defaults'))), [
      'ClusterRole sallyport-authority: create tokenreviews *',
      'ClusterRole sallyport-authority: get pods *',
      'ClusterRole sallyport-injector: create events *',
      'ClusterRole sallyport-injector: get,list,watch,patch mutatingwebhookconfigurations sallyport',
      'ClusterRole sallyport-injector: list,watch configmaps sallyport-policy,sallyport-policy-candidate',
      'ClusterRole sallyport-injector: list,watch namespaces *',
      'Role sallyport-authority: get,patch configmaps sallyport-trust',
      'Role sallyport-injector: get,list,watch,update secrets sallyport-injector-tls',
      'Role sallyport-test: create pods *',
    ]);
  });

  test('shrink with what is not used', async () => {
    assert.deepEqual(
      rights(await render(fileOf('bundle'), { 'certificates.source': 'cert-manager', 'tests.enabled': false })),
      [
        'ClusterRole sallyport-authority: create tokenreviews *',
        'ClusterRole sallyport-authority: get pods *',
        'Role sallyport-authority: get,patch configmaps sallyport-trust',
      ],
    );
  });

  test('reach service accounts only where their labels count', async () => {
    const wide = rights(await render(fileOf('platform-policy')));
    assert.ok(wide.includes('ClusterRole sallyport-injector: list,watch serviceaccounts *'));
    assert.ok(wide.includes('ClusterRole sallyport-injector: list,watch configmaps authz,authz-next'));
  });

  test('no rule has a star anywhere', async () => {
    for (const { file } of VALUE_SETS)
      for (const role of (await render(file)).filter(({ kind }) => kind.endsWith('Role')))
        assert.ok(!JSON.stringify(field(role, 'rules')).includes('"*"'), role.metadata.name);
  });

  test('each binding is of its own role and its own service account', async () => {
    const objects = await render(fileOf('defaults'));
    const bindings = objects.filter(({ kind }) => kind.endsWith('RoleBinding'));
    assert.equal(bindings.length, 5);
    for (const binding of bindings) {
      assert.equal(field(binding, 'roleRef', 'name'), binding.metadata.name);
      assert.equal(field(binding, 'subjects', 0, 'name'), binding.metadata.name);
    }
  });

  test('a token for the API server is mounted only into containers that call it', async () => {
    const objects = await render(fileOf('defaults'));
    const API = '/var/run/secrets/kubernetes.io/serviceaccount';
    const pods = ['Deployment', 'StatefulSet'].flatMap((kind) => objects.filter((object) => object.kind === kind));
    const holders = pods.flatMap((pod) => {
      const spec = field(pod, 'spec', 'template', 'spec');
      assert.equal(field(spec, 'automountServiceAccountToken'), false);
      const all = [...(field(spec, 'initContainers') as object[]), ...(field(spec, 'containers') as object[])];
      return all
        .filter((one) => (field(one, 'volumeMounts') as object[]).some((mount) => field(mount, 'mountPath') === API))
        .map((one) => field(one, 'name'));
    });
    assert.deepEqual(new Set(holders), new Set(['authority', 'injector']));
  });
});

async function budgets(set: string): Promise<number> {
  return (await render(fileOf(set))).filter(({ kind }) => kind === 'PodDisruptionBudget').length;
}

/** The template of the injector's pods. */
async function injectorPod(set: string, settings: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
  const objects = await render(fileOf(set), settings);
  return field(only(objects, 'Deployment', 'sallyport-injector'), 'spec', 'template');
}

async function checksum(settings: Readonly<Record<string, unknown>>): Promise<unknown> {
  return field(await injectorPod('defaults', settings), 'metadata', 'annotations', 'checksum/config');
}

async function inits(set: string): Promise<unknown> {
  return field(await injectorPod(set), 'spec', 'initContainers');
}

async function specOf(set: string): Promise<unknown> {
  const name = set === 'small' ? 'sp-authority' : 'sallyport-authority';
  return field(only(await render(fileOf(set)), 'StatefulSet', name), 'spec');
}

/** Where the authority keeps its state. */
async function state(set: string): Promise<unknown> {
  const volumes = field(await specOf(set), 'template', 'spec', 'volumes') as readonly unknown[];
  return volumes.find((volume) => field(volume, 'name') === 'state');
}

describe('the injector', { skip }, () => {
  test('never has fewer replicas than wanted during an upgrade, and spreads', async () => {
    const spec = field(only(await render(fileOf('defaults')), 'Deployment', 'sallyport-injector'), 'spec');
    assert.equal(field(spec, 'replicas'), 2);
    assert.deepEqual(field(spec, 'strategy', 'rollingUpdate'), { maxUnavailable: 0, maxSurge: 1 });
    assert.ok(JSON.stringify(field(spec, 'template', 'spec', 'affinity')).includes('kubernetes.io/hostname'));
  });

  test('has a disruption budget that one replica alone would not survive', async () => {
    assert.deepEqual([await budgets('defaults'), await budgets('small')], [1, 0]);
  });

  test('is rolled when its configuration changes, and not when nothing does', async () => {
    const first = await checksum({});
    assert.equal(await checksum({ 'injector.replicas': 3 }), first);
    // The platform's rules are followed while it runs.
    assert.equal(await checksum({ 'policies.platform.default': 'package sallyport.authz' }), first);
    assert.notEqual(await checksum({ 'sidecar.mode': 'shadow' }), first);
  });

  test('has our own sidecar before its policy service, and none where there is no such service', async () => {
    const [front] = (await inits('defaults')) as readonly unknown[];
    assert.deepEqual([field(front, 'name'), field(front, 'restartPolicy')], ['sallyport', 'Always']);
    assert.equal(await inits('bundle'), undefined);
  });
});

describe('the authority', { skip }, () => {
  test('keeps its state in a claim that outlives the chart, unless told otherwise', async () => {
    const spec = await specOf('defaults');
    assert.equal(field(spec, 'persistentVolumeClaimRetentionPolicy', 'whenDeleted'), 'Retain');
    assert.equal(field(spec, 'volumeClaimTemplates', 0, 'spec', 'storageClassName'), undefined);
    const token = await specOf('keys-in-a-token');
    assert.equal(field(token, 'persistentVolumeClaimRetentionPolicy', 'whenDeleted'), 'Delete');
    assert.equal(field(token, 'volumeClaimTemplates', 0, 'spec', 'storageClassName'), 'fast');
  });

  test('or in one that is there, or nowhere', async () => {
    assert.deepEqual(await state('small'), { name: 'state', persistentVolumeClaim: { claimName: 'ca' } });
    assert.deepEqual(await state('nothing-kept'), { name: 'state', emptyDir: {} });
  });

  test('is made at the first start with what the values say', async () => {
    const args = field(await specOf('keys-in-a-token'), 'template', 'spec', 'initContainers', 0, 'args');
    assert.deepEqual(args, [
      'ca',
      'init',
      '--if-missing',
      '--dir=/var/lib/sallyport/ca',
      '--trust-domain=cluster.local',
      '--ttl=7300d',
      '--issuing-ttl=365d',
      '--key-type=ed25519',
      '--root-key=/etc/sallyport/keys/root.key',
      '--issuing-key=/etc/sallyport/keys/issuing.uri',
      '--passphrase=/etc/sallyport/keys/passphrase',
    ]);
  });
});

describe('what components fill', { skip }, () => {
  test('stands without data, so that upgrades leave it alone and an uninstall takes it along', async () => {
    const objects = await render(fileOf('defaults'));
    const [secret, trust] = [
      only(objects, 'Secret', 'sallyport-injector-tls'),
      only(objects, 'ConfigMap', 'sallyport-trust'),
    ];
    for (const object of [secret, trust]) {
      assert.equal(field(object, 'data'), undefined);
      assert.equal(field(object, 'stringData'), undefined);
      assert.equal(field(object, 'metadata', 'annotations', 'helm.sh/hook'), undefined);
    }
  });

  test('the roots of an authority elsewhere are ours to write', async () => {
    const trust = only(await render(fileOf('authority-elsewhere')), 'ConfigMap', 'sallyport-trust');
    assert.match(String(field(trust, 'data', 'roots.pem')), /^-----BEGIN CERTIFICATE-----\nMAo=\n/);
  });
});

describe('NetworkPolicies', { skip }, () => {
  test("open the sidecar's ports and no other in each listed namespace", async () => {
    const objects = await render(fileOf('plain-capture'));
    const policies = objects.filter(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'sallyport-injected',
    );
    assert.deepEqual(
      policies.map(({ metadata }) => metadata.namespace),
      ['agents', 'tools'],
    );
    for (const policy of policies) {
      assert.deepEqual(field(policy, 'spec', 'podSelector'), { matchLabels: { 'sallyport.dev/injected': 'true' } });
      assert.deepEqual(field(policy, 'spec', 'ingress'), [
        {
          ports: [
            { protocol: 'TCP', port: 15_100, endPort: 15_115 },
            { protocol: 'TCP', port: 15_020 },
          ],
        },
      ]);
    }
  });
});
