import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import { FACTS, NAMESPACE, SETTINGS, agentPod, annotated } from './pods.ts';

import type { InjectionSettings } from '../../../src/core/model/injection.ts';

type Json = Readonly<Record<string, unknown>>;
type Case = readonly [title: string, pod: unknown, refusals: readonly string[], settings?: Partial<InjectionSettings>];

const PLAIN = { capture: 'plain' } as const;

/** Kinds and places of what is wrong with a pod; empty where it is let in. */
function refusals(pod: unknown, settings: Partial<InjectionSettings> = {}): readonly string[] {
  const injection = injectPod({ pod, namespace: NAMESPACE }, { ...SETTINGS, ...settings }, FACTS);
  return injection.ok ? [] : injection.error.map(({ kind, path }) => `${kind} ${path}`);
}

const one = (container: Json, spec: Json = {}) => agentPod({ containers: [{ name: 'agent', ...container }], ...spec });

function judged(group: string, cases: readonly Case[]): void {
  describe(group, () => {
    for (const [title, pod, expected, settings] of cases) {
      test(title, () => assert.deepEqual(refusals(pod, settings), expected));
    }
  });
}

judged('namespaces of the node', [
  ['its network is refused', agentPod({ hostNetwork: true }), ['host_namespace spec.hostNetwork']],
  ['its processes are refused', agentPod({ hostPID: true }), ['host_namespace spec.hostPID']],
  ['its shared memory is refused', agentPod({ hostIPC: true }), ['host_namespace spec.hostIPC']],
  ['what is off is not refused', agentPod({ hostNetwork: false, hostPID: null }), []],
  [
    'processes shared within the pod are refused',
    agentPod({ shareProcessNamespace: true }),
    ['shared_process_namespace spec.shareProcessNamespace'],
  ],
]);

judged('operating systems', [
  ['Windows by its field is refused', agentPod({ os: { name: 'windows' } }), ['unsupported_os spec.os.name']],
  [
    'Windows by its node is refused',
    agentPod({ nodeSelector: { 'kubernetes.io/os': 'windows' } }),
    ['unsupported_os spec.nodeSelector[kubernetes.io/os]'],
  ],
  ['Linux is let in', agentPod({ os: { name: 'linux' }, nodeSelector: { 'kubernetes.io/os': 'linux' } }), []],
]);

judged("the sidecar's user", [
  [
    'is refused to the pod',
    agentPod({ securityContext: { runAsUser: 61_337 } }),
    ['uid_taken spec.securityContext.runAsUser'],
  ],
  [
    'is refused to a container',
    one({ securityContext: { runAsUser: 61_337 } }),
    ['uid_taken spec.containers[0].securityContext.runAsUser'],
  ],
  [
    'is refused to an init container',
    agentPod({ initContainers: [{ name: 'i', securityContext: { runAsUser: 61_337 } }] }),
    ['uid_taken spec.initContainers[0].securityContext.runAsUser'],
  ],
  [
    'is another one where the platform says so',
    agentPod({ securityContext: { runAsUser: 61_337 } }),
    [],
    { uid: 2_000 },
  ],
  [
    'may share its group, which owns nothing',
    agentPod({ securityContext: { runAsGroup: 61_337, fsGroup: 61_337, supplementalGroups: [61_337] } }),
    [],
  ],
]);

const power = (add: readonly string[]) => one({ securityContext: { capabilities: { add } } });
const PRIVILEGED = { allowPrivileged: true } as const;
judged('powers that lead past the sidecar', [
  [
    'privileged',
    one({ securityContext: { privileged: true } }),
    ['privileged spec.containers[0].securityContext.privileged'],
  ],
  ['privileged, where the platform allows it', one({ securityContext: { privileged: true } }), [], PRIVILEGED],
  ...[
    'ALL',
    'NET_ADMIN',
    'SYS_ADMIN',
    'SYS_PTRACE',
    'SYS_MODULE',
    'SYS_RAWIO',
    'SYS_TIME',
    'DAC_READ_SEARCH',
    'BPF',
    'PERFMON',
    'CAP_NET_ADMIN',
    'net_admin',
    'cap_sys_ptrace',
    'all',
  ].map((name): Case => [name, power([name]), ['privileged spec.containers[0].securityContext.capabilities.add[0]']]),
  [
    'NET_ADMIN behind another',
    power(['CHOWN', 'NET_ADMIN']),
    ['privileged spec.containers[0].securityContext.capabilities.add[1]'],
  ],
  ['NET_ADMIN, where the platform allows it', power(['NET_ADMIN']), [], PRIVILEGED],
  ['NET_BIND_SERVICE is harmless', power(['NET_BIND_SERVICE']), []],
  [
    'init containers count as well',
    agentPod({ initContainers: [{ name: 'i', securityContext: { privileged: true } }] }),
    ['privileged spec.initContainers[0].securityContext.privileged'],
  ],
]);

const projected = (audience: string) =>
  agentPod({
    volumes: [{ name: 'v', projected: { sources: [{ configMap: {} }, { serviceAccountToken: { audience } }] } }],
  });
judged('names and volumes of ours', [
  [
    'a container named like the sidecar',
    agentPod({ containers: [{ name: 'sallyport' }] }),
    ['name_taken spec.containers[0].name'],
  ],
  [
    'an init container named like the redirection',
    agentPod({ initContainers: [{ name: 'sallyport-redirect' }] }),
    ['name_taken spec.initContainers[0].name'],
  ],
  [
    'a volume named like the token',
    agentPod({ volumes: [{ name: 'sallyport-token' }] }),
    ['volume_taken spec.volumes[0].name'],
  ],
  [
    'a mount of a volume that will be there',
    one({ volumeMounts: [{ name: 'x' }, { name: 'sallyport-run' }] }),
    ['volume_taken spec.containers[0].volumeMounts[1]'],
  ],
  [
    'a device of a volume that will be there',
    one({ volumeDevices: [{ name: 'sallyport-spiffe' }] }),
    ['volume_taken spec.containers[0].volumeDevices[0]'],
  ],
  [
    'a token that enrols as this agent',
    projected('sallyport'),
    ['volume_taken spec.volumes[0].projected.sources[1].serviceAccountToken'],
  ],
  ["a token for somebody else is the agent's own", projected('vault'), []],
  [
    'the socket that gives out the certificate',
    agentPod({ volumes: [{ name: 'v', csi: { driver: 'csi.spiffe.io' } }] }),
    ['volume_taken spec.volumes[0].csi'],
    { identity: { source: 'workload-api', driver: 'csi.spiffe.io' } },
  ],
  [
    "another driver is the agent's own",
    agentPod({ volumes: [{ name: 'v', csi: { driver: 'secrets' } }] }),
    [],
    { identity: { source: 'workload-api', driver: 'csi.spiffe.io' } },
  ],
]);

const listens = (port: number, rest: Json = {}) => one({ ports: [{ containerPort: port, ...rest }] });
judged("the sidecar's ports", [
  ...[15_000, 15_001, 15_020, 15_100].map((port): Case => [
    `${port} cannot be the agent's`,
    listens(port),
    ['port_taken spec.containers[0].ports[0].containerPort'],
  ]),
  ['the same number is free for UDP', listens(15_020, { protocol: 'UDP' }), []],
  ['the one behind the first is free where there is one port', listens(15_101), []],
  ['nor by annotation', annotated({ ports: '15001' }), ['port_taken metadata.annotations']],
  [
    'nor open past the sidecar',
    annotated({ 'exclude-ports': '15001' }),
    ['port_taken metadata.annotations'],
    { overrides: ['exclude-ports'] },
  ],
  [
    'nor probed',
    one({ livenessProbe: { tcpSocket: { port: 15_001 } } }),
    ['port_taken spec.containers[0].livenessProbe.tcpSocket.port'],
  ],
  [
    'they must not run into each other',
    annotated({ ports: '1,2' }),
    ['port_taken spec.containers'],
    { ports: { ...SETTINGS.ports, inbound: 15_019 } },
  ],
  [
    'a port of the node, without a redirection',
    listens(8080, { hostPort: 80 }),
    ['port_taken spec.containers[0].ports[0].hostPort'],
    PLAIN,
  ],
  [
    'nor one that the annotation leaves out',
    agentPod(
      { containers: [{ name: 'agent', ports: [{ containerPort: 8080, hostPort: 80 }] }] },
      { annotations: { 'sallyport.dev/ports': '9999' } },
    ),
    ['port_taken spec.containers[0].ports[0].hostPort'],
    PLAIN,
  ],
  [
    'nor one for UDP',
    listens(8080, { hostPort: 80, protocol: 'UDP' }),
    ['port_taken spec.containers[0].ports[0].hostPort'],
    PLAIN,
  ],
  [
    'nor one of a container that bears the name of another proxy',
    agentPod({ containers: [{ name: 'linkerd-proxy', ports: [{ containerPort: 8080, hostPort: 80 }] }] }),
    ['port_taken spec.containers[0].ports[0].hostPort'],
    PLAIN,
  ],
  [
    'nor one of an init container that ends',
    agentPod({ initContainers: [{ name: 'i', ports: [{ containerPort: 8080, hostPort: 80 }] }] }),
    ['port_taken spec.initContainers[0].ports[0].hostPort'],
    PLAIN,
  ],
  [
    'but one that the platform lets stay open',
    agentPod(
      { containers: [{ name: 'agent', ports: [{ containerPort: 8080, hostPort: 80 }] }] },
      { annotations: { 'sallyport.dev/exclude-ports': '8080' } },
    ),
    [],
    { ...PLAIN, overrides: ['exclude-ports'] },
  ],
  ['16 ports are guarded', annotated({ ports: Array.from({ length: 16 }, (_, index) => index + 1).join(',') }), []],
  [
    '17 are too many',
    annotated({ ports: Array.from({ length: 17 }, (_, index) => index + 1).join(',') }),
    ['ports_too_many spec.containers'],
  ],
]);

const beside = (name: string) => agentPod({ initContainers: [{ name }] });
judged('other meshes', [
  ...[
    'istio-proxy',
    'istio-init',
    'istio-validation',
    'linkerd-proxy',
    'linkerd-init',
    'linkerd-network-validator',
    'consul-dataplane',
    'consul-connect-inject-init',
    'kuma-sidecar',
    'kuma-init',
    'kuma-validation',
  ].map((name): Case => [`${name} redirects the same traffic`, beside(name), ['other_mesh spec.initContainers[0]']]),
  ['Linkerd may stand beside it without a redirection', beside('linkerd-proxy'), [], PLAIN],
  [
    "Istio's ports are in the way",
    agentPod({ initContainers: [{ name: 'istio-init' }, { name: 'istio-proxy', restartPolicy: 'Always' }] }),
    [15_001, 15_020, 15_000].toSorted((a, b) => a - b).map(() => 'port_taken spec.initContainers[0]'),
    PLAIN,
  ],
  [
    'but for other ones',
    beside('istio-proxy'),
    [],
    { ...PLAIN, ports: { inbound: 16_100, outbound: 16_001, probe: 16_020, admin: 16_000 } },
  ],
]);

judged('probes that could never succeed', [
  [
    'a name that no port has',
    one({ readinessProbe: { httpGet: { port: 'http' } } }),
    ['pod_malformed spec.containers[0].readinessProbe.httpGet.port'],
  ],
  ['no port', one({ readinessProbe: { grpc: {} } }), ['pod_malformed spec.containers[0].readinessProbe.grpc.port']],
  [
    'a port beyond the last',
    one({ startupProbe: { tcpSocket: { port: 65_536 } } }),
    ['pod_malformed spec.containers[0].startupProbe.tcpSocket.port'],
  ],
  [
    'a header that ends the field',
    one({ livenessProbe: { httpGet: { port: 1, httpHeaders: [{ name: 'a', value: 'b\r\nc: d' }] } } }),
    ['pod_malformed spec.containers[0].livenessProbe.httpGet.httpHeaders[0]'],
  ],
  [
    'a path that ends the line',
    one({ livenessProbe: { httpGet: { port: 1, path: '/ HTTP/1.1\r\nx: y' } } }),
    ['pod_malformed spec.containers[0].livenessProbe.httpGet.path'],
  ],
  [
    'a path without end',
    one({ livenessProbe: { httpGet: { port: 1, path: `/${'x'.repeat(2_048)}` } } }),
    ['pod_malformed spec.containers[0].livenessProbe.httpGet.path'],
  ],
  [
    'a service without end',
    one({ livenessProbe: { grpc: { port: 1, service: 'x'.repeat(1_025) } } }),
    ['pod_malformed spec.containers[0].livenessProbe.grpc.service'],
  ],
  [
    'another scheme',
    one({ livenessProbe: { httpGet: { port: 1, scheme: 'FTP' } } }),
    ['pod_malformed spec.containers[0].livenessProbe.httpGet.scheme'],
  ],
]);

judged('what is no pod', [
  ['nothing', undefined, ['pod_malformed ']],
  ['a list', [], ['pod_malformed ']],
  ['another kind', { kind: 'Deployment', spec: { containers: [{ name: 'a' }] } }, ['pod_malformed kind']],
  ['no spec', { kind: 'Pod' }, ['pod_malformed spec', 'pod_malformed spec.containers']],
  ['no container', agentPod({ containers: [] }), ['pod_malformed spec.containers']],
  ['containers that are no list', agentPod({ containers: {} }), ['pod_malformed spec.containers']],
  ['a container without a name', agentPod({ containers: [{}] }), ['pod_malformed spec.containers[0].name']],
  [
    'a name that leads elsewhere',
    agentPod({ containers: [{ name: 'a/../b' }] }),
    ['pod_malformed spec.containers[0].name'],
  ],
  [
    'two containers of one name',
    agentPod({ containers: [{ name: 'a' }], initContainers: [{ name: 'a' }] }),
    ['pod_malformed spec.containers'],
  ],
  ['two volumes of one name', agentPod({ volumes: [{ name: 'a' }, { name: 'a' }] }), ['pod_malformed spec.volumes']],
  ['annotations that are no text', agentPod({}, { annotations: { a: 1 } }), ['pod_malformed metadata.annotations[a]']],
  ['labels that are a list', agentPod({}, { labels: [] }), ['pod_malformed metadata.labels']],
  [
    'a service account that leads elsewhere',
    agentPod({ serviceAccountName: 'a/../../sa/b' }),
    ['pod_malformed spec.serviceAccountName'],
  ],
  [
    'a grace below nothing',
    agentPod({ terminationGracePeriodSeconds: -1 }),
    ['pod_malformed spec.terminationGracePeriodSeconds'],
  ],
  ['too much of it', agentPod({ x: 'x'.repeat(1_572_864) }), ['pod_malformed ']],
]);

describe('what is refused for other reasons', () => {
  test('a namespace that leads elsewhere', () => {
    const injection = injectPod({ pod: agentPod(), namespace: { name: 'a/b', labels: {} } }, SETTINGS, FACTS);
    assert.deepEqual(injection.ok ? [] : injection.error.map(({ path }) => path), ['metadata.namespace']);
  });

  test('an injector that knows no roots yet says so, and only where they are needed', () => {
    const facts = { ...FACTS, roots: ' \n' };
    const early = injectPod({ pod: agentPod(), namespace: NAMESPACE }, SETTINGS, facts);
    assert.deepEqual(early.ok ? [] : early.error.map(({ kind }) => kind), ['not_ready']);
    const identity = { source: 'workload-api', driver: 'csi.spiffe.io' } as const;
    assert.ok(injectPod({ pod: agentPod(), namespace: NAMESPACE }, { ...SETTINGS, identity }, facts).ok);
  });

  test('every refusal says what to do, and none holds a value of the environment', () => {
    const pod = one(
      { env: [{ name: 'TOKEN', value: 'hunter2' }], securityContext: { privileged: true, runAsUser: 61_337 } },
      { hostNetwork: true, shareProcessNamespace: true },
    );
    const injection = injectPod({ pod, namespace: NAMESPACE }, SETTINGS, FACTS);
    assert.ok(!injection.ok);
    assert.equal(injection.error.length, 4);
    for (const { message } of injection.error) {
      assert.doesNotMatch(message, /hunter2/);
      assert.match(message, /remove|choose/);
    }
  });
});
