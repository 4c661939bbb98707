import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import { judgeEphemeral } from '../../../src/core/injection/judge-ephemeral.ts';
import { FACTS, NAMESPACE, SETTINGS, agentPod } from './pods.ts';

type Json = Readonly<Record<string, unknown>>;

function injected(): Json {
  const injection = injectPod({ pod: agentPod(), namespace: NAMESPACE }, SETTINGS, FACTS);
  assert.ok(injection.ok && injection.value.kind === 'injected');
  return injection.value.pod;
}

function withEphemeral(pod: Json, ...ephemeralContainers: readonly unknown[]): Json {
  return { ...pod, spec: { ...(pod['spec'] as Json), ephemeralContainers } };
}

const POD = injected();

function judged(container: unknown, settings = SETTINGS, old = POD): readonly string[] {
  return judgeEphemeral(old, withEphemeral(old, container), settings).map(({ kind, path }) => `${kind} ${path}`);
}

const judgedAs = (runAsUser: number) =>
  judged({ name: 'debug', securityContext: { runAsUser } }, { ...SETTINGS, uid: 2_000 });

const PATH = 'spec.ephemeralContainers[0]';

describe('ephemeral containers of a pod with a sidecar', () => {
  const cases: readonly (readonly [string, Json, readonly string[]])[] = [
    ['one that debugs the agent is let in', { targetContainerName: 'agent', securityContext: { runAsUser: 0 } }, []],
    [
      'not in the processes of the sidecar',
      { targetContainerName: 'sallyport' },
      [`shared_process_namespace ${PATH}.targetContainerName`],
    ],
    [
      'not in those of the redirection',
      { targetContainerName: 'sallyport-redirect' },
      [`shared_process_namespace ${PATH}.targetContainerName`],
    ],
    [
      'not as the user of the sidecar',
      { securityContext: { runAsUser: 61_337 } },
      [`uid_taken ${PATH}.securityContext.runAsUser`],
    ],
    ['not privileged', { securityContext: { privileged: true } }, [`privileged ${PATH}.securityContext.privileged`]],
    [
      'not with NET_ADMIN',
      { securityContext: { capabilities: { add: ['NET_ADMIN'] } } },
      [`privileged ${PATH}.securityContext.capabilities.add[0]`],
    ],
    [
      'not with the volumes of the sidecar',
      { volumeMounts: [{ name: 'sallyport-run' }] },
      [`volume_taken ${PATH}.volumeMounts[0]`],
    ],
    ['not by a name of ours', { name: 'sallyport' }, [`name_taken ${PATH}.name`]],
    ['not without a name', { name: 7 }, [`pod_malformed ${PATH}.name`]],
  ];
  for (const [title, container, expected] of cases) {
    test(title, () => assert.deepEqual(judged({ name: 'debug', image: 'x', ...container }), expected));
  }

  test('everything that is wrong is said at once', () => {
    const container = {
      name: 'debug',
      targetContainerName: 'sallyport',
      securityContext: { runAsUser: 61_337, privileged: true },
    };
    assert.equal(judged(container).length, 3);
  });

  test('powers are let in where the platform allows them', () => {
    const container = { name: 'debug', securityContext: { privileged: true } };
    assert.deepEqual(judged(container, { ...SETTINGS, allowPrivileged: true }), []);
  });

  test('the user of the sidecar that runs counts, also where the settings have another one by now', () => {
    assert.deepEqual(judgedAs(61_337), [`uid_taken ${PATH}.securityContext.runAsUser`]);
    assert.deepEqual(judgedAs(2_000), [`uid_taken ${PATH}.securityContext.runAsUser`]);
    assert.deepEqual(judgedAs(3_000), []);
  });

  test('those that were there before are not judged again', () => {
    const old = withEphemeral(POD, { name: 'debug', securityContext: { privileged: true } });
    const more = withEphemeral(POD, { name: 'debug', securityContext: { privileged: true } }, { name: 'second' });
    assert.deepEqual(judgeEphemeral(old, more, SETTINGS), []);
  });

  test('a label that was taken away does not make a pod one without a sidecar', () => {
    const bare = { ...POD, metadata: {} };
    assert.deepEqual(judged({ name: 'debug', targetContainerName: 'sallyport' }, SETTINGS, bare).length, 1);
  });

  test("a pod without a sidecar is nobody's business, nor is what is no pod", () => {
    assert.deepEqual(judged({ name: 'debug', securityContext: { privileged: true } }, SETTINGS, agentPod()), []);
    for (const value of [undefined, null, [], 'x', { spec: [] }])
      assert.deepEqual(judgeEphemeral(value, value, SETTINGS), []);
  });
});
