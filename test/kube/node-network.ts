import { execFileSync } from 'node:child_process';
import { mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Addresses of the one node and of what runs on it. */
export const NETWORK = {
  node: '10.99.0.1',
  nodePrefix: 24,
  pods: '10.244.0.0/16',
  podsOfNode: '10.244.0.0/24',
  services: '10.96.0.0/16',
  domain: 'cluster.local',
} as const;

const OVERLAY = 0x794c7630;
/** Places outside its own folders where the node's programs write: each is an empty one of the cluster's own. */
const PRIVATE = ['/run', '/var/lib/cni', '/var/lib/kubelet', '/var/log/containers', '/var/log/pods'];

/** Inside the cluster's own namespaces: an address that is not loopback, forwarding, and nothing of this machine's that could be in the way. */
export function prepareNamespaces(folder: string): void {
  for (const place of PRIVATE) {
    mkdirSync(place, { recursive: true });
    run('mount', '-t', 'tmpfs', 'tmpfs', place);
  }
  mkdirSync('/run/netns', { recursive: true });
  const images = join(folder, 'containerd');
  mkdirSync(images);
  // An overlay, which layers of images are mounted as, cannot lie on another.
  if (statfsSync(folder).type === OVERLAY) run('mount', '-t', 'tmpfs', '-o', 'size=6g', 'tmpfs', images);
  run('mount', '--make-rshared', '/');
  run('ip', 'link', 'set', 'lo', 'up');
  run('ip', 'link', 'add', 'node0', 'type', 'bridge');
  run('ip', 'address', 'add', `${NETWORK.node}/${NETWORK.nodePrefix}`, 'dev', 'node0');
  run('ip', 'link', 'set', 'node0', 'up');
  run('ip', 'route', 'add', 'default', 'dev', 'node0');
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
}

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: 'pipe' });
}
