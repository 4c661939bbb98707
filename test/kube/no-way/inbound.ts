import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { until } from '../../support/until.ts';
import type { Cluster } from '../cluster.ts';
import { runCommand } from '../kube-tools.ts';
import { knock, type Door } from '../knock.ts';
import { arrivals, deniedRecords, knockFrom, onePod, told, type Guarded, type Rooms } from './rooms.ts';

const NODE = '10.99.0.1';
const OK = 'answered HTTP/1.1 200 OK';
/** Its own ports: what the sidecar takes it cuts without an identity, and everything else is as if nobody were there. */
const PORTS = { 8080: 'closed', 9090: 'silent', 15_000: 'silent', 15_001: 'silent', 15_100: 'closed' } as const;

/** With redirect capture: nobody reaches the agent but through its sidecar. */
export async function nobodyGetsIn(context: TestContext, rooms: Rooms, guarded: Guarded): Promise<void> {
  const { cluster, outside } = rooms;
  const { namespace, ip } = guarded;
  const ports = Object.entries(PORTS);
  const streams = ports.flatMap(([port]) => [door('http', ip, Number(port)), door('tls', ip, Number(port))]);
  const datagrams = [door('udp', ip, 8080), door('udp', ip, 9090)];
  const no = [...ports.flatMap(([, answer]) => [answer, answer]), 'silent', 'silent'];

  await context.test('the way in is with an identity, through both sidecars', async () => {
    await cluster.leadTo(namespace, 'guarded');
    const [answer] = await knockFrom(cluster, namespace, 'caller', [door('http', `guarded.${namespace}.svc`, 80)]);
    assert.equal(answer, OK);
    // What the agent says stands in its log a moment later.
    const arrived = await until('the agent to tell of it', async () => {
      const lines = await arrivals(cluster, namespace, 'guarded');
      return lines.length > 0 ? lines : undefined;
    });
    assert.match(arrived.join(), /^arrived tcp 8080 \S*127\.0\.0\.1$/);
  });

  await context.test('not from another pod, by the address or by the Service', async () => {
    const doors = [...streams, ...datagrams, door('http', `guarded.${namespace}.svc`, 80)];
    const answers = await knockFrom(cluster, outside, 'thief', doors);
    assert.deepEqual(told(doors, answers), told(doors, [...no, 'closed']));
  });

  await context.test('not from the node', async () => {
    const doors = [...streams, ...datagrams];
    assert.deepEqual(told(doors, await knock(doors)), told(doors, no));
  });

  await context.test('not by the IPv6 addresses that interfaces have by themselves', async () => {
    const plain = await onePod(cluster, outside, 'plain');
    const open = await linkLocal(cluster, outside, 'plain', plain.ip);
    const own = await linkLocal(cluster, namespace, 'guarded', ip);
    const doors = [open, own].flatMap((host) => [door('http', host, 8080), door('http', host, 9090)]);
    const [first, second, declared, other] = await knock(doors);
    assert.deepEqual([first, second], [OK, OK]);
    // The sidecar listens for IPv4.
    assert.match(declared ?? '', /^(?:refused|silent)$/);
    assert.equal(other, 'silent');
  });

  await context.test("not by a port of the node's, as a hostPort leads to a pod", async (inner) => {
    const plain = await onePod(cluster, outside, 'plain');
    await hostPort(inner, 18_080, `${ip}:8080`);
    await hostPort(inner, 18_081, `${plain.ip}:8080`);
    const doors = [door('http', NODE, 18_080), door('http', NODE, 18_081)];
    assert.deepEqual(await knockFrom(cluster, outside, 'thief', doors), ['closed', OK]);
  });

  await context.test('the probe port answers probes that the pod declares, and nothing else', async () => {
    const doors = [door('http', ip, 15_020)];
    assert.deepEqual(await knockFrom(cluster, outside, 'thief', doors), ['answered HTTP/1.1 404 Not Found']);
  });

  await context.test('nothing of all this arrived, and the sidecar has a record of each', async () => {
    const strangers = (await arrivals(cluster, namespace, 'guarded')).filter((line) => !line.endsWith('127.0.0.1'));
    assert.deepEqual(strangers, []);
    // Pod and node at both ports, the pod by the Service and by the node's port; TLS at both ports, without a certificate.
    const expected = [...Array(4).fill('peer_certificate_missing'), ...Array(6).fill('tls_handshake_failed')];
    const denied = await deniedRecords(cluster, namespace, 'guarded', expected.length);
    assert.deepEqual(denied.toSorted(), expected);
  });

  await context.test('neither into injector and authority', async () => {
    await controlPlane(rooms);
  });
}

async function controlPlane({ cluster, system, outside }: Rooms): Promise<void> {
  const address = async (component: string): Promise<string> => {
    const [pod] = await cluster.pods(system, `app.kubernetes.io/component=${component}`);
    return pod?.status.podIP ?? '';
  };
  const [injector, authority] = [await address('injector'), await address('authority')];
  const doors = [
    door('http', injector, 8446),
    door('http', injector, 15_000),
    door('http', injector, 8445),
    door('tls', injector, 8445),
    door('tls', injector, 8443),
    door('tls', authority, 8444),
  ];
  const said = told(doors, await knockFrom(cluster, outside, 'thief', doors));
  const expected = [
    'silent',
    'silent',
    'closed',
    'closed',
    'answered HTTP/1.1 404 Not Found',
    'answered HTTP/1.1 403 Forbidden',
  ];
  assert.deepEqual(said, told(doors, expected));
  // The node is let in by NetworkPolicies: there the policy service is on loopback alone.
  assert.deepEqual(await knock(doors.slice(0, 2)), ['refused', 'refused']);
}

function door(kind: Door['kind'], host: string, port: number): Door {
  return { kind, host, port };
}

/** The address that the node reaches a pod by without any of the cluster's: on the wire between them. */
async function linkLocal(cluster: Cluster, namespace: string, name: string, ip: string): Promise<string> {
  const place = { namespace, pod: `deployment/${name}`, container: 'agent' };
  const script = 'os.networkInterfaces().eth0.find(({ family }) => family === "IPv6").address';
  const { stdout, stderr } = await cluster.exec(place, ['node', '-p', script]);
  const { stdout: route } = await runCommand('ip', ['route', 'show', ip]);
  const device = /dev (\S+)/.exec(route)?.[1];
  assert.ok(stdout.startsWith('fe80:') && device !== undefined, stderr);
  return `${stdout.trim()}%${device}`;
}

/** What the portmap plugin of CNI does for a hostPort; the network of the tests has none. */
async function hostPort(context: TestContext, port: number, to: string): Promise<void> {
  const table = `host_port_${port}`;
  const rules = [
    `table ip ${table} {`,
    'chain in {',
    'type nat hook prerouting priority dstnat',
    `ip daddr ${NODE} tcp dport ${port} dnat to ${to}`,
    '}',
    '}',
  ];
  const { code, stderr } = await runCommand('nft', ['-f', '-'], { input: `${rules.join('\n')}\n` });
  assert.equal(code, 0, stderr);
  context.after(() => runCommand('nft', ['delete', 'table', 'ip', table]));
}
