/** What a pod of a listing is made with. */
export type ListedPodFacts = {
  readonly namespace?: string;
  readonly phase?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** False: a pod without a sidecar. */
  readonly sidecar?: boolean;
  readonly version?: string;
  readonly config?: string;
  readonly capture?: 'redirect' | 'plain';
  /** State of the sidecar's container, as the kubelet reports it. */
  readonly state?: object;
  readonly metadata?: object;
};

/** Hash of the settings that the listed pods were injected with. */
export const CONFIG_HASH = 'sha256:5f1e';

const ADMIN_PORT = 15_000;

/** A pod as the API server lists it, injected unless said otherwise. */
export function listedPodObject(name: string, facts: ListedPodFacts = {}): object {
  const { namespace = 'agents', phase = 'Running', sidecar = true, version = '0.2.0', config = CONFIG_HASH } = facts;
  const settings = {
    inbound: [{ listen: '0.0.0.0:15100', upstream: 'auto://127.0.0.1:8080' }],
    outbound: [{ listen: '127.0.0.1:15001', destinations: { 'tool.internal': { address: 'tool:8443' } } }],
    policy: { bundle: 'https://policy.example/', mode: 'enforce' },
    probes: { listen: '0.0.0.0:15020', targets: { 'app/readiness': { http: { port: 8080, path: '/' } } } },
    admin: { listen: `127.0.0.1:${ADMIN_PORT}` },
  };
  const ours = [
    ...(facts.capture === 'plain' ? [] : [{ name: 'sallyport-redirect', image: 'sallyport:0.2.0' }]),
    {
      name: 'sallyport',
      image: 'sallyport:0.2.0',
      restartPolicy: 'Always',
      env: [{ name: 'SALLYPORT_CONFIG', value: JSON.stringify(settings) }],
    },
  ];
  const annotations = { 'sallyport.dev/injected-by': version, 'sallyport.dev/injected-config': config };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: { ...(sidecar && { 'sallyport.dev/injected': 'true' }), ...facts.labels },
      ...(sidecar && { annotations }),
      ...facts.metadata,
    },
    spec: { initContainers: [...(sidecar ? ours : []), { name: 'migrate' }], containers: [{ name: 'app' }] },
    status: {
      phase,
      initContainerStatuses: sidecar ? [{ name: 'sallyport', state: facts.state ?? { running: {} } }] : [],
    },
  };
}

/** A running injector, with its health on port 8080. */
export function injectorPod(name = 'injector-1'): object {
  return {
    metadata: { name, namespace: 'sallyport-system', labels: { 'app.kubernetes.io/version': '0.2.0' } },
    spec: { containers: [{ name: 'injector', ports: [{ name: 'health', containerPort: 8080 }] }] },
    status: { phase: 'Running' },
  };
}

/** What a sidecar without trouble answers at `/status`; its certificate lives for another hour. */
export function sidecarStatus(over: object = {}, nowMs = Date.now()): object {
  return {
    version: '0.2.0',
    mode: 'enforce',
    identity: { id: 'spiffe://example.org/ns/agents/sa/one', notAfter: new Date(nowMs + 3_600_000).toISOString() },
    policy: { revision: 'rev-1', decision: 'sallyport/composed/decision', candidate: { revision: 'rev-2' } },
    problems: [],
    draining: false,
    ...over,
  };
}
