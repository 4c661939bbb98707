import { resolve } from 'node:path';

import type { Cluster } from './cluster.ts';

/** Where agents find the clone of the tests, read only. */
export const CLONE = '/clone';

const ROOT = resolve(import.meta.dirname, '../..');

/** An agent that knows of no sidecar: a program of this clone in the plain Node image. */
export type Agent = {
  readonly name: string;
  /** Arguments of node; paths begin with `CLONE`. */
  readonly args: readonly string[];
  readonly ports?: readonly { readonly containerPort: number; readonly name?: string }[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly container?: object;
  readonly pod?: object;
  readonly replicas?: number;
};

/** The three agents of the examples, by the protocol that each speaks; all listen on 8080. */
export const PROGRAMS = {
  http: [`${CLONE}/examples/http-agent/server.ts`, '8080'],
  grpc: [`${CLONE}/examples/grpc-agent/server.ts`, '8080'],
  mcp: [`${CLONE}/node_modules/@modelcontextprotocol/server-everything/dist/index.js`, 'streamableHttp'],
  /** Does nothing, for calls by `kubectl exec`. */
  idle: ['-e', 'setInterval(() => {}, 60000); process.on("SIGTERM", () => process.exit(0))'],
} as const;

/** Service account, Deployment and Service (port 80 to the agent's first port) of an agent, all of its name. */
export function workload(cluster: Cluster, agent: Agent): readonly object[] {
  const { name, ports = [], replicas = 1 } = agent;
  const labels = { app: name };
  const [first] = ports;
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { replicas, selector: { matchLabels: labels }, template: podTemplate(cluster, agent) },
    },
    ...(first === undefined
      ? []
      : [
          {
            apiVersion: 'v1',
            kind: 'Service',
            metadata: { name },
            spec: { selector: labels, ports: [{ port: 80, targetPort: first.name ?? first.containerPort }] },
          },
        ]),
  ];
}

/** The template of its pods. */
export function podTemplate(cluster: Cluster, { name, args, ports = [], annotations = {}, ...more }: Agent) {
  return {
    metadata: { labels: { app: name }, annotations },
    spec: {
      serviceAccountName: name,
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'agent',
          image: cluster.images.node,
          command: ['node', ...args],
          env: [{ name: 'PORT', value: '8080' }],
          ports,
          volumeMounts: [{ name: 'clone', mountPath: CLONE, readOnly: true }],
          ...more.container,
        },
      ],
      volumes: [{ name: 'clone', hostPath: { path: ROOT } }],
      ...more.pod,
    },
  };
}

/** A ConfigMap with a namespace's policy. */
export function policy(rego: string, name = 'sallyport-policy', annotations: Readonly<Record<string, string>> = {}) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, annotations }, data: { 'policy.rego': rego } };
}
