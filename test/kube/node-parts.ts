import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { binary } from './binaries.ts';
import { flags, type ControlPlane } from './control-plane.ts';
import { startDaemon, type Daemon } from './daemon.ts';
import { NETWORK } from './node-network.ts';

/** Name of the one node. */
export const NODE = 'node-1';

/** What every image of the tests is named below; nobody serves it, so that what was not imported is not there. */
export const REGISTRY = 'sallyport.test';

export type NodeOptions = { readonly folder: string; readonly plane: ControlPlane; readonly cgroup: string };

/** The socket of containerd below a cluster's folder. */
export function containerdSocket(folder: string): string {
  return join(folder, 'containerd.sock');
}

export function startContainerd(folder: string): Daemon {
  const at = (name: string): string => join(folder, name);
  mkdirSync(at('cni'));
  const routes = [{ dst: '0.0.0.0/0' }];
  const ipam = { type: 'host-local', subnet: NETWORK.podsOfNode, routes, dataDir: at('cni-addresses') };
  const network = {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [{ type: 'ptp', ipam }, { type: 'loopback' }],
  };
  writeFileSync(at('cni/10-pods.conflist'), JSON.stringify(network));
  writeFileSync(
    at('containerd.toml'),
    [
      'version = 2',
      `root = "${at('containerd')}"`,
      'state = "/run/containerd"',
      `[grpc]\naddress = "${containerdSocket(folder)}"`,
      '[plugins."io.containerd.grpc.v1.cri"]',
      'restrict_oom_score_adj = true',
      `sandbox_image = "${REGISTRY}/pause:1"`,
      '[plugins."io.containerd.grpc.v1.cri".cni]',
      'bin_dir = "/usr/lib/cni"',
      `conf_dir = "${at('cni')}"`,
      '',
    ].join('\n'),
  );
  const args = ['--config', at('containerd.toml')];
  return startDaemon('containerd', { command: 'containerd', args, logFile: at('containerd.log') });
}

export async function startControllers({ folder, plane }: NodeOptions): Promise<readonly Daemon[]> {
  const { pki } = plane;
  const manager = await plane.kubeconfigOf('system:kube-controller-manager');
  const scheduler = await plane.kubeconfigOf('system:kube-scheduler');
  return [
    part(folder, 'kube-controller-manager', {
      ...asClient(manager),
      'service-account-private-key-file': pki.tokenKeyFile,
      'root-ca-file': pki.caFile,
      'cluster-signing-cert-file': pki.caFile,
      'cluster-signing-key-file': pki.caKeyFile,
      'use-service-account-credentials': 'true',
    }),
    part(folder, 'kube-scheduler', asClient(scheduler)),
  ];
}

function asClient(kubeconfig: string): Readonly<Record<string, string>> {
  return {
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'leader-elect': 'false',
  };
}

export async function startKubelet({ folder, plane, cgroup }: NodeOptions): Promise<Daemon> {
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('resolv.conf'), '');
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${containerdSocket(folder)}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: plane.pki.caFile },
    },
    authorization: { mode: 'Webhook' },
    clusterDomain: NETWORK.domain,
    clusterDNS: [NETWORK.node],
    resolvConf: at('resolv.conf'),
    // A machine that is nearly full is no reason to end a test's pods.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    localStorageCapacityIsolation: false,
    podLogsDir: at('pod-logs'),
    // How soon changed ConfigMaps reach volumes; a minute by default.
    syncFrequency: '2s',
    nodeStatusUpdateFrequency: '2s',
    eventRecordQPS: 0,
  };
  mkdirSync(at('pod-logs'));
  writeFileSync(at('kubelet.json'), JSON.stringify(config));
  return part(folder, 'kubelet', {
    config: at('kubelet.json'),
    kubeconfig: await plane.kubeconfigOf(`system:node:${NODE}`, ['system:nodes']),
    'hostname-override': NODE,
    'node-ip': NETWORK.node,
    'root-dir': at('kubelet'),
    'cert-dir': at('kubelet-pki'),
  });
}

export async function startProxy({ folder, plane }: NodeOptions): Promise<Daemon> {
  const config = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    hostnameOverride: NODE,
    clusterCIDR: NETWORK.pods,
    clientConnection: { kubeconfig: await plane.kubeconfigOf('system:kube-proxy') },
    // These settings are the machine's and not the namespace's.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    metricsBindAddress: '127.0.0.1:10249',
  };
  writeFileSync(join(folder, 'kube-proxy.json'), JSON.stringify(config));
  return part(folder, 'kube-proxy', { config: join(folder, 'kube-proxy.json') });
}

function part(
  folder: string,
  name: 'kube-controller-manager' | 'kube-scheduler' | 'kubelet' | 'kube-proxy',
  args: Readonly<Record<string, string>>,
): Daemon {
  return startDaemon(name, { command: binary(name), args: flags(args), logFile: join(folder, `${name}.log`) });
}
