import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { until } from '../../support/until.ts';
import { PROGRAMS, workload } from '../agents.ts';
import { knock, type Door } from '../knock.ts';
import { arrivals, knockFrom, labelledNamespace, mayCall, onePod, OPEN_AGENT, told, type Rooms } from './rooms.ts';

const OK = 'answered HTTP/1.1 200 OK';

/** With plain capture: Services lead to the sidecar, and a NetworkPolicy closes the rest. `close` has the chart make one for a namespace. */
export async function plainCapture(
  context: TestContext,
  { cluster, outside }: Rooms,
  close: (namespace: string) => Promise<void>,
): Promise<void> {
  const namespace = await labelledNamespace(cluster, context);
  const ports = [{ containerPort: 8080, name: 'web' }];
  await cluster.apply(
    namespace,
    ...workload(cluster, { name: 'guarded', args: OPEN_AGENT, ports }),
    service('numbered', 15_100),
    service('past', 8080),
    ...workload(cluster, {
      name: 'caller',
      args: PROGRAMS.idle,
      annotations: mayCall(namespace, 'guarded', 'numbered', 'past'),
    }),
  );
  const { ip } = await onePod(cluster, namespace, 'guarded');
  await onePod(cluster, namespace, 'caller');
  const host = (name: string): string => `${name}.${namespace}.svc`;
  const calls = ['guarded', 'numbered', 'past'].map((name): Door => ({
    kind: 'http',
    host: '127.0.0.1',
    port: 15_001,
    wanted: `${host(name)}:80`,
  }));
  const sidecar: readonly Door[] = [
    { kind: 'http', host: host('guarded'), port: 80 },
    { kind: 'tls', host: host('numbered'), port: 80 },
    { kind: 'http', host: ip, port: 15_100 },
    { kind: 'http', host: ip, port: 15_020 },
  ];
  const agent: readonly Door[] = [
    { kind: 'http', host: host('past'), port: 80 },
    { kind: 'http', host: ip, port: 8080 },
    { kind: 'http', host: ip, port: 9090 },
    { kind: 'udp', host: ip, port: 8080 },
  ];
  const ours = ['closed', 'closed', 'closed', 'answered HTTP/1.1 404 Not Found'];
  const open = [OK, OK, OK, 'answered the agent'];

  await context.test('a Service leads to the sidecar by the name of the port, unchanged, and by 15100', async () => {
    // Behind a Service with the number of the agent's port there is nobody who could prove an identity.
    const failed = /^answered HTTP\/1\.1 50[23] /;
    await cluster.leadTo(namespace, 'guarded', 'numbered', 'past');
    // Somebody who knocks has little patience on a busy machine; after some failures the circuit is open, which is 503.
    await until('both Services to lead to the sidecar', async () => {
      const [named, numbered, past] = await knockFrom(cluster, namespace, 'caller', calls);
      return named === OK && numbered === OK && failed.test(past ?? '');
    });
  });

  await context.test(
    'without a NetworkPolicy the agent is reached past it, by whatever leads to its own ports',
    async () => {
      const doors = [...sidecar, ...agent];
      assert.deepEqual(told(doors, await knockFrom(cluster, outside, 'thief', doors)), told(doors, [...ours, ...open]));
      // What the agent says stands in its log a moment later.
      await until('the agent to tell of strangers', async () => (await strangers()).length > 0);
    },
  );

  await context.test("the chart's NetworkPolicy closes that, and leaves the sidecar's ports", async () => {
    await close(namespace);
    await until('the NetworkPolicy to be in force', async () => {
      const [answer] = await knockFrom(cluster, outside, 'thief', [{ kind: 'http', host: ip, port: 9090 }]);
      return answer === 'silent';
    });
    const before = await strangers();
    const doors = [...sidecar, ...agent];
    const shut = agent.map(() => 'silent');
    assert.deepEqual(told(doors, await knockFrom(cluster, outside, 'thief', doors)), told(doors, [...ours, ...shut]));
    assert.deepEqual(await strangers(), before);
    assert.deepEqual(await knockFrom(cluster, namespace, 'caller', calls.slice(0, 2)), [OK, OK]);
  });

  await context.test('what it does not stop: the node, and calls of the agent to others', async () => {
    assert.equal((await knock(agent.slice(1, 2))).join(), OK);
    const plain = await onePod(cluster, outside, 'plain');
    const past: readonly Door[] = [{ kind: 'http', host: plain.ip, port: 8080 }];
    assert.deepEqual(await knockFrom(cluster, namespace, 'caller', past), [OK]);
  });

  async function strangers(): Promise<readonly string[]> {
    return (await arrivals(cluster, namespace, 'guarded')).filter((line) => !line.endsWith('127.0.0.1'));
  }
}

/** Another way to the same agent. */
function service(name: string, targetPort: number): object {
  const spec = { selector: { app: 'guarded' }, ports: [{ port: 80, targetPort }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
}
