import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import type { Door } from '../knock.ts';
import {
  arrivals,
  deniedRecords,
  knockFrom,
  onePod,
  records,
  SIDECAR_USER,
  told,
  type Guarded,
  type Rooms,
} from './rooms.ts';

const OK = 'answered HTTP/1.1 200 OK';

/** With redirect capture: the agent's own calls. `caller` has all of them captured and is nobody's root, `chatty` those to declared ports. */
export async function callsAreCaptured(
  context: TestContext,
  { cluster, outside }: Rooms,
  { namespace }: Guarded,
): Promise<void> {
  const plain = await onePod(cluster, outside, 'plain');
  const open: readonly Door[] = [
    { kind: 'http', host: plain.ip, port: 8080 },
    { kind: 'tls', host: plain.ip, port: 8080 },
    { kind: 'udp', host: plain.ip, port: 8080 },
  ];
  const cameFrom = async (name: string): Promise<readonly string[]> => {
    const { ip } = await onePod(cluster, namespace, name);
    return (await arrivals(cluster, outside, 'plain')).filter(
      (line) => line.endsWith(`:${ip}`) || line.endsWith(` ${ip}`),
    );
  };

  await context.test('all: what is not declared is refused, whatever it speaks, and does not leave', async () => {
    const answers = await knockFrom(cluster, namespace, 'caller', open);
    assert.deepEqual(told(open, answers), told(open, ['answered HTTP/1.1 403 Forbidden', 'closed', 'silent']));
    assert.deepEqual(await cameFrom('caller'), []);
    const refused = await deniedRecords(cluster, namespace, 'caller', 2);
    assert.deepEqual(refused.toSorted(), ['call_not_plain', 'destination_unknown']);
  });

  await context.test("all: the sidecar's own calls go out, as another one's do without a sidecar", async () => {
    assert.equal(
      (await knockFrom(cluster, outside, 'thief', open)).join(),
      [OK, 'closed', 'answered the agent'].join(),
    );
    const place = { namespace, pod: 'deployment/caller', container: 'sallyport' };
    const script = `fetch('http://${plain.ip}:8080/').then(({ status }) => console.log(status))`;
    assert.equal((await cluster.exec(place, ['node', '-e', script])).stdout.trim(), '200');
  });

  await context.test("all: nobody becomes the sidecar's user without SETUID", async () => {
    await assert.rejects(knockFrom(cluster, namespace, 'caller', open, SIDECAR_USER), /EPERM/);
  });

  await context.test(
    'declared: calls to the ports of declared destinations are captured, with a record; others are not',
    async () => {
      const doors: readonly Door[] = [
        { kind: 'http', host: `guarded.${namespace}.svc`, port: 80 },
        { kind: 'http', host: `plain.${outside}.svc`, port: 80 },
        { kind: 'http', host: plain.ip, port: 8080 },
      ];
      await cluster.leadTo(namespace, 'guarded');
      await cluster.leadTo(outside, 'plain');
      const answers = await knockFrom(cluster, namespace, 'chatty', doors);
      assert.deepEqual(told(doors, answers), told(doors, [OK, 'answered HTTP/1.1 403 Forbidden', OK]));
      assert.deepEqual(await deniedRecords(cluster, namespace, 'chatty', 1), ['destination_unknown']);
      const made = await records(cluster, namespace, 'chatty');
      assert.deepEqual(made.map(({ sallyport }) => sallyport.verdict).toSorted(), ['allow', 'deny']);
    },
  );

  await context.test(
    "what it does not stop: root with SETUID becomes the sidecar's user, of which the injection warns",
    async () => {
      const doors: readonly Door[] = [{ kind: 'http', host: `plain.${outside}.svc`, port: 80 }];
      assert.deepEqual(await knockFrom(cluster, namespace, 'chatty', doors, SIDECAR_USER), [OK]);
      const run = ['-n', namespace, 'run', 'root', '--dry-run=server', `--image=${cluster.images.node}`];
      const { stderr } = await cluster.tryKubectl(run);
      assert.match(stderr, /Warning: container root may run as root and get past the capture of its calls/);
    },
  );
}
