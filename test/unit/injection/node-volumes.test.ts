import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import { FACTS, NAMESPACE, SETTINGS, agentPod } from './pods.ts';

import type { InjectionSettings } from '../../../src/core/model/injection.ts';

function refusals(path: string, settings: Partial<InjectionSettings> = {}): readonly string[] {
  const pod = agentPod({
    volumes: [
      { name: 'a', emptyDir: {} },
      { name: 'node', hostPath: { path } },
    ],
  });
  const injection = injectPod({ pod, namespace: NAMESPACE }, { ...SETTINGS, ...settings }, FACTS);
  return injection.ok ? [] : injection.error.map(({ kind, path: place }) => `${kind} ${place}`);
}

const REFUSED = ['privileged spec.volumes[1].hostPath.path'];

describe('folders of the node', () => {
  for (const path of [
    '/',
    '//',
    '/.',
    '/var',
    '/var/lib/',
    '/var/lib/kubelet',
    '/var/lib/kubelet/pods/1234/volumes/kubernetes.io~projected/sallyport-token',
    '/srv/../var//lib/./kubelet/',
    '/..',
    '/run/containerd/containerd.sock',
    '/var/run/docker.sock',
    '/proc',
    '/proc/1/root',
    '/sys/fs/cgroup',
    '/dev/mem',
    '/etc',
    '/etc/kubernetes/pki',
    '/var/log',
    '/var/log/pods',
    'var/lib/kubelet',
  ])
    test(`${path} is refused: the key of a sidecar can be read from there`, () => {
      assert.deepEqual(refusals(path), REFUSED);
      assert.deepEqual(refusals(path, { capture: 'plain' }), REFUSED);
    });

  for (const path of [
    '/srv/models',
    '/data',
    '/mnt/nvme0/var/lib/kubelet',
    '/etc/localtime',
    '/runs',
    '/var/lib/agent',
  ])
    test(`${path} is let in: no such folder`, () => assert.deepEqual(refusals(path), []));

  test('where the platform allows privileged pods they are let in', () => {
    assert.deepEqual(refusals('/', { allowPrivileged: true }), []);
  });

  test('a path that is none is the API server’s to judge', () => {
    const volumes = [
      { name: 'a', hostPath: {} },
      { name: 'b', hostPath: { path: 7 } },
      { name: 'c', hostPath: null },
    ];
    const injection = injectPod({ pod: agentPod({ volumes }), namespace: NAMESPACE }, SETTINGS, FACTS);
    assert.equal(injection.ok, true);
  });
});
