import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';
import type { InjectionFacts, InjectionSettings } from '../../../src/core/model/injection.ts';

/** What an installation with nothing but the defaults of the chart injects. */
export const SETTINGS: InjectionSettings = {
  trustDomain: 'example.org' as TrustDomain,
  image: 'registry.example.org/sallyport:0.1.0',
  imagePullPolicy: 'IfNotPresent',
  capture: 'redirect',
  uid: 61_337,
  ports: { inbound: 15_100, outbound: 15_001, probe: 15_020, admin: 15_000 },
  identity: {
    source: 'authority',
    url: 'https://sallyport-authority.sallyport-system.svc:8444',
    id: 'spiffe://example.org/ns/sallyport-system/sa/sallyport-authority' as SpiffeId,
    audience: 'sallyport',
  },
  policy: {
    source: 'namespace',
    url: 'https://sallyport-injector.sallyport-system.svc:8445',
    id: 'spiffe://example.org/ns/sallyport-system/sa/sallyport-injector' as SpiffeId,
  },
  mode: 'enforce',
  outbound: { capture: 'none', destinations: {}, excludePorts: [], excludeCidrs: [] },
  resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '384Mi' } },
  logLevel: 'info',
  drainDelay: 5_000,
  metrics: true,
  overrides: ['ports', 'protocol', 'destinations', 'resources', 'log-level', 'drain-delay'],
  allowPrivileged: false,
  extra: {},
};

/** Not a certificate: an injection hands it on as text. */
export const FACTS: InjectionFacts = {
  version: '0.1.0',
  roots: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
};

export const NAMESPACE = { name: 'agents', labels: {} } as const;

/** A pod with one container that serves HTTP, with `spec` over it. */
export function agentPod(
  spec: Readonly<Record<string, unknown>> = {},
  metadata: Readonly<Record<string, unknown>> = {},
) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'agent', namespace: 'agents', ...metadata },
    spec: {
      serviceAccountName: 'researcher',
      containers: [
        { name: 'agent', image: 'agent:1', ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] },
      ],
      ...spec,
    },
  };
}

/** A pod with these annotations of ours, names without `sallyport.dev/`. */
export function annotated(annotations: Readonly<Record<string, string>>, spec: Readonly<Record<string, unknown>> = {}) {
  const own = Object.entries(annotations).map(([name, text]) => [`sallyport.dev/${name}`, text]);
  return agentPod(spec, { annotations: Object.fromEntries(own) as Record<string, string> });
}
