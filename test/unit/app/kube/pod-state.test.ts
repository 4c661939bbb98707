import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { injectedSidecar } from '../../../../src/app/kube/injected-sidecar.ts';
import { listedPod } from '../../../../src/app/kube/pod-state.ts';
import { readSidecarStatus } from '../../../../src/app/kube/sidecar-status.ts';
import { CONFIG_HASH, listedPodObject, sidecarStatus } from '../../../support/kube-objects.ts';

/** A pod whose sidecar has this text as its configuration. */
function configured(value: unknown): object {
  const container = { name: 'sallyport', env: [{ name: 'SALLYPORT_CONFIG', value }] };
  return { metadata: {}, spec: { initContainers: [container] } };
}

/** Whether it runs, whether it is over, and its trouble, of a pod whose sidecar's container is in this state. */
function facts(state: object, more: object = {}): readonly unknown[] {
  const { running, over, trouble } = listedPod(listedPodObject('one', { state, ...more }));
  return [running, over, trouble];
}

function adminPort(listen: string): number | undefined {
  return injectedSidecar(configured(JSON.stringify({ admin: { listen } })))?.adminPort;
}

test('the sidecar of a pod, as it stands there', () => {
  assert.deepEqual(injectedSidecar(listedPodObject('one')), {
    version: '0.2.0',
    config: CONFIG_HASH,
    image: 'sallyport:0.2.0',
    capture: 'redirect',
    mode: 'enforce',
    guarded: [{ listen: '0.0.0.0:15100', upstream: 'auto://127.0.0.1:8080' }],
    outbound: [{ listen: '127.0.0.1:15001', destinations: ['tool.internal'] }],
    probes: ['app/readiness'],
    initContainers: ['sallyport-redirect', 'sallyport'],
    adminPort: 15_000,
  });
});

test('a pod without our init container has no sidecar, whatever its labels say', () => {
  const labels = { 'sallyport.dev/injected': 'true' };
  assert.equal(injectedSidecar(listedPodObject('one', { sidecar: false, labels })), undefined);
  const container = { spec: { containers: [{ name: 'sallyport' }] } };
  assert.equal(injectedSidecar(container), undefined);
});

test('a configuration that is none, or of another form, is an injected pod of which little is known', () => {
  for (const value of [
    undefined,
    1,
    'words',
    '[]',
    'null',
    '{"inbound": 1, "admin": {"listen": "x"}, "probes": {"targets": []}}',
  ]) {
    const sidecar = injectedSidecar(configured(value));
    assert.deepEqual(
      [sidecar?.adminPort, sidecar?.capture, sidecar?.mode],
      [undefined, 'plain', 'enforce'],
      String(value),
    );
  }
});

test('an admin port is a port, of IPv6 too', () => {
  assert.deepEqual(
    ['[::1]:15000', '0.0.0.0:1', '127.0.0.1:0', 'x:65536', 'x:999999', '15000', 'a:1; rm'].map(adminPort),
    [15_000, 1, ...Array<undefined>(5).fill(undefined)],
  );
});

test('a pod in the list: phase, whether it runs, whether it is over, and why it does not start', () => {
  assert.deepEqual(facts({ running: {} }), [true, false, undefined]);
  assert.deepEqual(facts({ waiting: { reason: 'ContainerCreating' } }), [false, false, undefined]);
  assert.deepEqual(facts({ waiting: { reason: 'ImagePullBackOff' } }), [
    false,
    false,
    'container sallyport: ImagePullBackOff',
  ]);
  assert.deepEqual(facts({ terminated: { exitCode: 0 } }, { phase: 'Succeeded' }), [false, true, undefined]);
  assert.deepEqual(facts({ terminated: { exitCode: 2 } }), [false, false, 'container sallyport: ended with 2']);
});

test('a status is read, and what it does not say is not known', () => {
  const nowMs = Date.UTC(2026, 0, 1);
  assert.deepEqual(readSidecarStatus(sidecarStatus({ draining: true }, nowMs)), {
    version: '0.2.0',
    mode: 'enforce',
    id: 'spiffe://example.org/ns/agents/sa/one',
    notAfterMs: nowMs + 3_600_000,
    revision: 'rev-1',
    candidate: 'rev-2',
    problems: [],
    draining: true,
  });
  assert.deepEqual(
    readSidecarStatus({ identity: { notAfter: 'soon' }, problems: 'many', policy: null })?.notAfterMs,
    undefined,
  );
  for (const answer of [undefined, null, 1, 'x', []]) assert.equal(readSidecarStatus(answer), undefined);
});

test('a status with problems without end is cut', () => {
  const problems = Array.from({ length: 1000 }, (_, index) => `p${index}`);
  assert.equal(readSidecarStatus({ problems })?.problems.length, 16);
});

test('property: no pod and no status throws', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      listedPod(value);
      readSidecarStatus(value);
      injectedSidecar(configured(JSON.stringify(value)));
      for (const key of ['metadata', 'spec', 'status']) listedPod({ [key]: value });
      listedPod({
        spec: { initContainers: [value, { name: 'sallyport', env: value }] },
        status: { initContainerStatuses: [value] },
      });
    }),
  );
});
