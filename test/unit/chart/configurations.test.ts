import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { POLICY_SERVICE_BUNDLE } from '../../../helm/image/contents.ts';
import { loadAuthorityConfig } from '../../../src/core/config/authority-config.ts';
import { loadConfig } from '../../../src/core/config/config.ts';
import { loadInjectorConfig } from '../../../src/core/config/injector-config.ts';
import { NO_HELM, VALUE_SETS, field, fileIn, only, render } from '../../support/chart.ts';

import type { AuthorityConfig } from '../../../src/core/config/authority-config.ts';
import type { InjectorConfig } from '../../../src/core/config/injector-config.ts';

const skip = NO_HELM;

function fileOf(name: string): string {
  const found = VALUE_SETS.find((set) => set.name === name);
  assert.ok(found, name);
  return found.file;
}

async function injectorOf(set: string): Promise<InjectorConfig> {
  const loaded = loadInjectorConfig(fileIn(await render(fileOf(set)), 'sallyport-injector', 'injector.yaml'), {});
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.value;
}

async function authorityOf(set: string): Promise<AuthorityConfig> {
  const loaded = loadAuthorityConfig(fileIn(await render(fileOf(set)), 'sallyport-authority', 'authority.yaml'), {});
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.value;
}

/** The port that a named port of a container has. */
async function portOf(workload: 'Deployment' | 'StatefulSet', name: string, port: string): Promise<unknown> {
  const spec = field(only(await render(fileOf('defaults')), workload, name), 'spec', 'template', 'spec');
  const all = [...(field(spec, 'initContainers') as object[]), ...(field(spec, 'containers') as object[])];
  const ports = all.flatMap((one) => (field(one, 'ports') ?? []) as object[]);
  return field(
    ports.find((one) => field(one, 'name') === port),
    'containerPort',
  );
}

describe('the injector’s file', { skip }, () => {
  test('names the objects that the chart makes', async () => {
    const { webhook, namespace } = await injectorOf('defaults');
    assert.equal(namespace, 'sallyport-system');
    assert.deepEqual(webhook.certificate, {
      source: 'self',
      secret: 'sallyport-injector-tls',
      configuration: 'sallyport',
      service: 'sallyport-injector',
      lives: 604_800_000,
    });
    const objects = await render(fileOf('defaults'));
    for (const [kind, name] of [
      ['Secret', 'sallyport-injector-tls'],
      ['MutatingWebhookConfiguration', 'sallyport'],
      ['Service', 'sallyport-injector'],
    ] as const)
      assert.ok(only(objects, kind, name));
  });

  test('listens where the Services and probes ask', async () => {
    const { webhook, health } = await injectorOf('defaults');
    assert.equal(webhook.listen.port, await portOf('Deployment', 'sallyport-injector', 'webhook'));
    assert.equal(health.listen.port, await portOf('Deployment', 'sallyport-injector', 'health'));
  });

  test('tells sidecars the authority and the policy service of the chart', async () => {
    const { sidecar } = await injectorOf('defaults');
    assert.deepEqual(sidecar.identity, {
      source: 'authority',
      url: 'https://sallyport-authority.sallyport-system.svc:8444',
      id: 'spiffe://cluster.local/sallyport/authority',
      audience: 'sallyport',
    });
    assert.deepEqual(sidecar.policy, {
      source: 'namespace',
      url: 'https://sallyport-injector.sallyport-system.svc:8445',
      id: 'spiffe://cluster.local/ns/sallyport-system/sa/sallyport-injector',
    });
  });

  test('or those elsewhere', async () => {
    const elsewhere = (await injectorOf('authority-elsewhere')).sidecar.identity;
    assert.equal(elsewhere.source === 'authority' && elsewhere.url, 'https://ca.example.org:8444');
    assert.deepEqual((await injectorOf('workload-api')).sidecar.identity, {
      source: 'workload-api',
      driver: 'csi.spiffe.io',
    });
    assert.deepEqual((await injectorOf('bundle')).sidecar.policy, {
      source: 'bundle',
      url: 'oci://registry.example.org/policies:1',
      decision: 'envoy/authz/allow',
    });
  });

  test('passes on what is the sidecar’s own', async () => {
    const { extra, drainDelay, image } = (await injectorOf('sidecars-of-their-own')).sidecar;
    assert.equal(drainDelay, 15_000);
    assert.match(image, /^registry\.example\.org\/mirror\/sallyport:0\.1\.0@sha256:/);
    assert.deepEqual(extra, {
      journal: ['stdout', { url: 'https://logs.example.org/logs', maxBytes: '512KiB' }],
      journalQueue: { records: 20_000, whenFull: 'drop' },
      status: { url: 'https://logs.example.org/status' },
      labels: { cluster: 'blue', pod: '${HOSTNAME}' },
      limits: { bodyBytes: '16MiB', requestTimeout: '30s' },
    });
  });

  test('large numbers stay numbers', async () =>
    assert.equal((await injectorOf('pods-may-say-much')).sidecar.uid, 2_147_483_647));
});

describe('the authority’s file', { skip }, () => {
  test('publishes where the injector mounts, and binds tokens to pods', async () => {
    const { kubernetes, trustDomain, health, listen } = await authorityOf('defaults');
    assert.equal(trustDomain, 'cluster.local');
    assert.equal(kubernetes?.publish?.configMap, 'sallyport-trust');
    assert.equal(kubernetes.bindPod, true);
    assert.equal(listen.port, await portOf('StatefulSet', 'sallyport-authority', 'enrol'));
    assert.equal(health?.listen.port, await portOf('StatefulSet', 'sallyport-authority', 'health'));
  });

  test('lets in everybody, or only those who are named', async () => {
    assert.deepEqual((await authorityOf('defaults')).kubernetes?.namespaces, { '*': ['*'] });
    const { kubernetes, id, lifetimes } = await authorityOf('sidecars-of-their-own');
    assert.deepEqual(kubernetes?.namespaces, { agents: ['*'], 'sallyport-system': ['sallyport-injector'] });
    assert.equal(kubernetes.audience, 'ca.example.org');
    assert.deepEqual([id, lifetimes.leaf], ['spiffe://cluster.local/ca', 1_200_000]);
    const { sidecar } = await injectorOf('sidecars-of-their-own');
    assert.equal(sidecar.identity.source === 'authority' && sidecar.identity.audience, 'ca.example.org');
  });

  test('knows keys from outside', async () => {
    const { privateKey, passphrase } = await authorityOf('keys-in-a-token');
    assert.deepEqual([privateKey, passphrase], ['/etc/sallyport/keys/issuing.uri', '/etc/sallyport/keys/passphrase']);
  });
});

describe('the file of the sidecar in front of the policy service', { skip }, () => {
  test('is the identity that other sidecars expect there, and lets nobody past it', async () => {
    const loaded = loadConfig(fileIn(await render(fileOf('defaults')), 'sallyport-injector', 'sidecar.yaml'), {});
    assert.ok(loaded.ok, JSON.stringify(loaded));
    const { identity, inbound, outbound, policy } = loaded.value;
    const { sidecar, policyService } = await injectorOf('defaults');
    assert.ok(identity.source === 'authority' && sidecar.policy.source === 'namespace');
    assert.equal(identity.authority.agent, sidecar.policy.id);
    assert.deepEqual(
      inbound.map(({ listen }) => listen.port),
      [8445],
    );
    assert.deepEqual(inbound[0]?.upstream, { protocol: 'http1', address: { kind: 'tcp', ...policyService?.listen } });
    assert.deepEqual([outbound.length, policy.mode], [0, 'enforce']);
  });

  test('has its policy from the image, compiled: no Rego stands in the cluster', async () => {
    const objects = await render(fileOf('defaults'));
    const loaded = loadConfig(fileIn(objects, 'sallyport-injector', 'sidecar.yaml'), {});
    assert.ok(loaded.ok, JSON.stringify(loaded));
    assert.deepEqual(loaded.value.policy.bundle, { kind: 'path', path: POLICY_SERVICE_BUNDLE });
    const data = field(only(objects, 'ConfigMap', 'sallyport-injector'), 'data');
    assert.deepEqual(Object.keys(data as object).sort(), ['injector.yaml', 'sidecar.yaml']);
  });
});

describe('the platform’s rules', { skip }, () => {
  test('stand as files, with the policy of namespaces that have none', async () => {
    const data = field(only(await render(fileOf('platform-policy')), 'ConfigMap', 'sallyport-platform-policy'), 'data');
    assert.deepEqual(Object.keys(data as object).sort(), ['data.json', 'default.rego', 'platform.rego']);
    assert.match(String(field(data, 'platform.rego')), /^package sallyport\.platform\n\ndeny contains /);
  });
});
