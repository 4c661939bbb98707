import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { cacheHome } from '../support/cache-home.ts';
import { commandPath, isExecutable } from '../support/commands.ts';
import { buildKubernetes } from './build-kubernetes.ts';
import { fetchTools } from './fetch-tools.ts';
import { API_SERVER_PARTS, BUILD, CACHE_NAMES, CLUSTER_PARTS, TOOLS, type KubePart, type Tool } from './recipe.ts';

/** What is tested against: an API server alone, or a whole cluster. */
export type Tier = 'apiserver' | 'cluster';

const CACHE = join(cacheHome(), 'sallyport', 'kubernetes');

/** Folders of this user's cache, named after versions and recipe. */
export const cacheFolders = { parts: join(CACHE, CACHE_NAMES.parts), tools: join(CACHE, CACHE_NAMES.tools) } as const;

/** Debian's packages and the command of each by which it is known to be there; an administrator installs them (`.ci/kubernetes`). */
const FROM_DEBIAN = {
  apiserver: { etcd: 'etcd-server' },
  cluster: {
    etcd: 'etcd-server',
    containerd: 'containerd',
    ctr: 'containerd',
    runc: 'runc',
    '/usr/lib/cni/ptp': 'containernetworking-plugins',
    nft: 'nftables',
    conntrack: 'conntrack',
    ip: 'iproute2',
    '/bin/busybox': 'busybox-static',
  },
} as const satisfies Record<Tier, Readonly<Record<string, string>>>;

/** Path of a part of Kubernetes or of a command that works with it: from `KUBEBUILDER_ASSETS`, the cache, or (commands only) the PATH. */
export function findBinary(name: KubePart | Tool | 'etcd'): string | undefined {
  const isTool = name === 'kubectl' || name === 'helm';
  const assets = process.env['KUBEBUILDER_ASSETS'];
  const places = [
    ...(assets === undefined ? [] : [join(assets, name)]),
    join(isTool ? cacheFolders.tools : cacheFolders.parts, name),
  ];
  return places.find(isExecutable) ?? (isTool || name === 'etcd' ? commandPath(name) : undefined);
}

/** The same; throws where it is not there. */
export function binary(name: KubePart | Tool | 'etcd'): string {
  const path = findBinary(name);
  if (path === undefined) throw new Error(`${name} is not here\n${remedy('apiserver')}`);
  return path;
}

/** What a tier lacks on this machine; empty when it can begin. */
export function missingFor(tier: Tier): readonly string[] {
  const parts = tier === 'cluster' ? CLUSTER_PARTS : API_SERVER_PARTS;
  const ours = [...parts, ...TOOLS].filter((name) => findBinary(name) === undefined);
  const others = Object.entries(FROM_DEBIAN[tier])
    .filter(([command]) => !isThere(command))
    .map(([command, from]) => `${command} (Debian: ${from})`);
  return [...ours, ...others];
}

function isThere(command: string): boolean {
  if (command.startsWith('/')) return isExecutable(command);
  return command === 'etcd' ? findBinary('etcd') !== undefined : commandPath(command) !== undefined;
}

/** What to do where something is missing. */
export function remedy(tier: Tier): string {
  return [
    `Kubernetes ${BUILD.version} is looked for in KUBEBUILDER_ASSETS, then in ${cacheFolders.parts};`,
    `kubectl and helm there, in ${cacheFolders.tools}, then on the PATH.`,
    `To build and fetch what is missing (needs Go, python3 with pip; some minutes): node test/kube/binaries.ts prepare ${tier}`,
    `Debian's packages: bash .ci/kubernetes ${tier}`,
  ].join('\n');
}

/** Builds and fetches into the cache what a tier lacks; leaves alone what is there. */
export async function prepare(tier: Tier, say: (line: string) => void): Promise<void> {
  await Promise.all(Object.values(cacheFolders).map((folder) => mkdir(folder, { recursive: true })));
  if (TOOLS.some((tool) => findBinary(tool) === undefined)) await fetchTools(cacheFolders.tools, say);
  const parts = (tier === 'cluster' ? CLUSTER_PARTS : API_SERVER_PARTS).filter(
    (part) => findBinary(part) === undefined,
  );
  if (parts.length > 0) await buildKubernetes(parts, cacheFolders.parts, say);
}

/** Folders that hold the commands, first on the PATH of what is started with them. */
export function toolPath(): string {
  const folders = new Set(TOOLS.map((tool) => dirname(binary(tool))));
  return [...folders, process.env['PATH'] ?? ''].join(':');
}

function say(line: string): void {
  process.stderr.write(`kubernetes: ${line}\n`);
}

/** `node test/kube/binaries.ts prepare|check apiserver|cluster`. */
async function main([command, tier]: readonly string[]): Promise<number> {
  if ((command !== 'prepare' && command !== 'check') || (tier !== 'apiserver' && tier !== 'cluster')) {
    say('usage: node test/kube/binaries.ts prepare|check apiserver|cluster');
    return 2;
  }
  if (command === 'prepare') await prepare(tier, say);
  const missing = missingFor(tier);
  if (missing.length === 0) return 0;
  say(`CANNOT TEST the ${tier} tier: missing ${missing.join(', ')}\n${remedy(tier)}`);
  return 3;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
