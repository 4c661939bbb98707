import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import type { OutboundCapture } from '../../../src/core/model/injection.ts';
import { agentPod, FACTS, NAMESPACE, SETTINGS } from './pods.ts';

function warned(securityContext: object, capture: OutboundCapture = 'all', pod: object = {}): boolean {
  const asked = agentPod({
    containers: [{ name: 'agent', image: 'agent:1', ports: [{ containerPort: 80 }], securityContext }],
    ...pod,
  });
  const settings = { ...SETTINGS, outbound: { ...SETTINGS.outbound, capture } };
  const made = injectPod({ pod: asked, namespace: NAMESPACE }, settings, FACTS);
  assert.ok(made.ok && made.value.kind === 'injected');
  return made.value.warnings.some((warning) => warning.startsWith('container agent may run as root and get past'));
}

describe('a container whose calls are captured and that could get past is warned of', () => {
  const CASES: readonly (readonly [context: object, isWarned: boolean])[] = [
    [{}, true],
    [{ runAsUser: 0 }, true],
    [{ runAsUser: 1000 }, false],
    [{ runAsNonRoot: true }, false],
    [{ capabilities: { drop: ['ALL'] } }, false],
    [{ capabilities: { drop: ['all'] } }, false],
    [{ capabilities: { drop: ['SETUID', 'NET_RAW'] } }, false],
    [{ capabilities: { drop: ['CAP_SETUID', 'cap_net_raw'] } }, false],
    // Root without SETUID stays root, and sends frames that no rule sees (packet(7)).
    [{ capabilities: { drop: ['SETUID'] } }, true],
    [{ capabilities: { drop: ['NET_RAW'] } }, true],
    // What is added again was not dropped: runtimes drop first.
    [{ capabilities: { drop: ['ALL'], add: ['NET_RAW'] } }, true],
    [{ capabilities: { drop: ['ALL'], add: ['CAP_SETUID'] } }, true],
    [{ capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } }, false],
    [{ runAsUser: 1000, capabilities: { add: ['NET_RAW'] } }, false],
  ];
  for (const [context, isWarned] of CASES) test(JSON.stringify(context), () => assert.equal(warned(context), isWarned));
});

test('the user of the pod counts where the container says none', () => {
  assert.equal(warned({}, 'all', { securityContext: { runAsNonRoot: true } }), false);
  assert.equal(warned({ runAsUser: 0 }, 'all', { securityContext: { runAsUser: 1000 } }), true);
});

test('nothing is said where no call is captured', () => {
  assert.deepEqual([warned({}, 'none'), warned({}, 'declared')], [false, true]);
});
