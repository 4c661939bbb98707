import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { until } from '../../support/until.ts';
import { CLONE, podTemplate, PROGRAMS, workload, type Agent } from '../agents.ts';
import { theCluster, type Cluster } from '../cluster.ts';
import { install } from '../installed.ts';
import { nobodyWeakensIt } from '../no-way/admission.ts';
import { identitiesStay, OWN_TOKEN } from '../no-way/identity.ts';
import { nobodyGetsIn } from '../no-way/inbound.ts';
import { callsAreCaptured } from '../no-way/outbound.ts';
import { plainCapture } from '../no-way/plain.ts';
import { labelledNamespace, mayCall, onePod, OPEN_AGENT, type Guarded, type Rooms } from '../no-way/rooms.ts';
import { nobodyUndoesIt } from '../no-way/within.ts';

/** Those of the chart, and who may choose what is captured of its calls: one installation for both ways. */
const OVERRIDES = ['ports', 'protocol', 'destinations', 'resources', 'log-level', 'drain-delay', 'outbound'];
const PORTS = [{ containerPort: 8080, name: 'web' }];

test('there is no way around the sidecar', async (context) => {
  const cluster = theCluster();
  const redirect = { capture: 'redirect', metrics: false, overrides: OVERRIDES, outbound: { capture: 'all' } };
  const installed = await install(cluster, context, { sidecar: redirect });
  const rooms = { cluster, system: installed.namespace, outside: await outsiders(cluster, context) };

  await context.test('redirect', async (inner) => {
    const guarded = await insiders(rooms, inner);
    await inner.test('nobody gets in', (one) => nobodyGetsIn(one, rooms, guarded));
    await inner.test('the calls of agents are captured', (one) => callsAreCaptured(one, rooms, guarded));
    await inner.test('nobody undoes it', (one) => nobodyUndoesIt(one, rooms, guarded));
    await inner.test('nobody weakens it', (one) => nobodyWeakensIt(one, rooms, guarded));
    await inner.test('identities stay', (one) => identitiesStay(one, rooms, guarded));
  });

  const sidecar = { capture: 'plain', overrides: OVERRIDES };
  await installed.upgrade({ sidecar });
  await until('the injectors of before to be gone, which go on as long as the API server calls them', async () => {
    return (await cluster.pods(installed.namespace, 'app.kubernetes.io/component=injector')).length === 2;
  });
  await context.test('plain', (inner) =>
    plainCapture(inner, rooms, (namespace) =>
      installed.upgrade({ sidecar, networkPolicy: { namespaces: [namespace] } }),
    ),
  );
});

async function outsiders(cluster: Cluster, context: TestContext): Promise<string> {
  const namespace = await cluster.createNamespace(context);
  const token = { serviceAccountToken: { audience: 'sallyport', path: 'token', expirationSeconds: 600 } };
  await cluster.apply(
    namespace,
    ...workload(
      cluster,
      withVolume(cluster, { name: 'thief', args: PROGRAMS.idle }, { projected: { sources: [token] } }),
    ),
    ...workload(cluster, { name: 'plain', args: OPEN_AGENT, ports: [{ containerPort: 8080 }] }),
  );
  await onePod(cluster, namespace, 'thief');
  await onePod(cluster, namespace, 'plain');
  return namespace;
}

function withVolume(cluster: Cluster, agent: Agent, volume: object): Agent {
  const { volumes } = podTemplate(cluster, agent).spec;
  const volumeMounts = [
    { name: 'clone', mountPath: CLONE, readOnly: true },
    { name: 'own', mountPath: OWN_TOKEN.replace(/\/token$/, ''), readOnly: true },
  ];
  return { ...agent, container: { volumeMounts }, pod: { volumes: [...volumes, { name: 'own', ...volume }] } };
}

/** An open agent with somebody who knows nft beside it; who may call it; and one who is told apart by the ports it calls. */
async function insiders({ cluster }: Rooms, context: TestContext): Promise<Guarded> {
  const namespace = await labelledNamespace(cluster, context);
  const open = { name: 'guarded', args: OPEN_AGENT, ports: PORTS };
  const burglar = {
    name: 'burglar',
    image: cluster.images.sallyport,
    command: ['node', ...PROGRAMS.idle],
    securityContext: { runAsUser: 0, runAsNonRoot: false },
  };
  const nobody = { runAsUser: 1000, runAsNonRoot: true, capabilities: { drop: ['ALL'] } };
  const annotations = mayCall(namespace, 'guarded');
  const { containers } = podTemplate(cluster, open).spec;
  await cluster.apply(
    namespace,
    ...workload(cluster, { ...open, pod: { containers: [...containers, burglar] } }),
    ...workload(cluster, { name: 'caller', args: PROGRAMS.idle, annotations, container: { securityContext: nobody } }),
    ...workload(cluster, {
      name: 'chatty',
      args: PROGRAMS.idle,
      annotations: { ...annotations, 'sallyport.dev/outbound': 'declared' },
    }),
  );
  const pod = await onePod(cluster, namespace, 'guarded');
  for (const name of ['caller', 'chatty']) assert.ok((await onePod(cluster, namespace, name)).ip);
  return { namespace, pod, ip: pod.ip };
}
