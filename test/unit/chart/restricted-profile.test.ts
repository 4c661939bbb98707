import assert from 'node:assert/strict';
import { test } from 'node:test';

import { restrictedViolations } from '../../support/restricted-profile.ts';

import type { PodSpec } from '../../support/restricted-profile.ts';

const GOOD = {
  securityContext: { runAsNonRoot: true, runAsUser: 61_337, seccompProfile: { type: 'RuntimeDefault' } },
  volumes: [{ name: 'a', emptyDir: {} }],
  containers: [
    { name: 'a', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }, ports: [{}] },
  ],
} as const satisfies PodSpec;

function container(change: object): PodSpec {
  return { ...GOOD, containers: [{ ...GOOD.containers[0], ...change }] };
}

function context(change: object): PodSpec {
  return container({ securityContext: { ...GOOD.containers[0].securityContext, ...change } });
}

test('a restricted pod breaks nothing', () => assert.deepEqual(restrictedViolations(GOOD), []));

const BROKEN: readonly (readonly [spec: PodSpec, control: string])[] = [
  [{ ...GOOD, hostNetwork: true }, 'hostNetwork'],
  [{ ...GOOD, hostPID: true }, 'hostPID'],
  [{ ...GOOD, hostIPC: true }, 'hostIPC'],
  [{ ...GOOD, volumes: [{ name: 'b', hostPath: { path: '/' } }] }, 'volume b: hostPath'],
  [{ ...GOOD, securityContext: { ...GOOD.securityContext, runAsNonRoot: false } }, 'a: runAsNonRoot'],
  [{ ...GOOD, securityContext: { ...GOOD.securityContext, runAsUser: 0 } }, 'pod: runAsUser'],
  [{ ...GOOD, securityContext: { runAsNonRoot: true } }, 'a: seccompProfile'],
  [{ ...GOOD, securityContext: { ...GOOD.securityContext, sysctls: [{ name: 'kernel.msgmax' }] } }, 'pod: sysctls'],
  [context({ privileged: true }), 'a: privileged'],
  [context({ allowPrivilegeEscalation: undefined }), 'a: allowPrivilegeEscalation'],
  [context({ capabilities: {} }), 'a: capabilities.drop'],
  [context({ capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } }), 'a: capabilities.add'],
  [context({ procMount: 'Unmasked' }), 'a: procMount'],
  [context({ runAsUser: 0 }), 'a: runAsUser'],
  [context({ appArmorProfile: { type: 'Unconfined' } }), 'a: appArmorProfile'],
  [context({ seLinuxOptions: { type: 'spc_t' } }), 'a: seLinuxOptions'],
  [context({ seccompProfile: { type: 'Unconfined' } }), 'a: seccompProfile'],
  [container({ ports: [{ hostPort: 80 }] }), 'a: hostPort'],
];
for (const [spec, control] of BROKEN)
  test(`restricted: ${control} is found`, () => assert.deepEqual(restrictedViolations(spec), [control]));

test('init containers are judged too', () => {
  assert.deepEqual(restrictedViolations({ ...GOOD, initContainers: [{ name: 'b' }] }), [
    'b: allowPrivilegeEscalation',
    'b: capabilities.drop',
  ]);
});
