import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { binary } from './binaries.ts';
import { createClusterPki, type ClusterPki, type KeyPairFiles } from './cluster-pki.ts';
import { startDaemon, type Daemon } from './daemon.ts';
import { callApi, type KubeApi } from './kube-api.ts';

/** A loaded machine with two cores takes four seconds. */
const READY_LIMIT_MS = 60_000;
const LOOK_MS = 50;

export type ControlPlaneOptions = {
  readonly folder: string;
  /** Address that it listens at; `0.0.0.0` for all. */
  readonly bind: string;
  /** Address by which it is reached. */
  readonly address: string;
  readonly ports: { readonly api: number; readonly etcd: number; readonly etcdPeer: number };
  /** Where services have their addresses. */
  readonly serviceRange: string;
  /** Further names and addresses for its certificate. */
  readonly names?: readonly string[];
  readonly extraArgs?: readonly string[];
  /** `lease`: the API server stands behind the `kubernetes` Service, where that can be reached. Default none. */
  readonly endpoints?: 'none' | 'lease';
};

/** etcd and an API server: RBAC, NodeRestriction, admission of service accounts; its administrator is a member of `system:masters`. */
export type ControlPlane = {
  readonly api: KubeApi;
  readonly pki: ClusterPki;
  readonly folder: string;
  /** Of the administrator. */
  readonly kubeconfig: string;
  /** Writes the kubeconfig of another user, known by certificate. */
  readonly kubeconfigOf: (user: string, groups?: readonly string[]) => Promise<string>;
  /** Starts the API server again after `stopApiServer`, over the same state and at the same address. */
  readonly startApiServer: () => Promise<void>;
  /** As when its machine is lost: nothing is told to anybody. */
  readonly stopApiServer: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly story: () => string;
};

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { folder, address, ports } = options;
  await mkdir(join(folder, 'pki'), { recursive: true, mode: 0o700 });
  const names = ['localhost', 'kubernetes.default.svc', '127.0.0.1', firstAddressOf(options.serviceRange), address];
  const pki = await createClusterPki(join(folder, 'pki'), [...new Set([...names, ...(options.names ?? [])])]);
  const api = { url: `https://${address}:${ports.api}`, caPem: pki.caPem, token: randomBytes(16).toString('hex') };
  await writeFile(join(folder, 'tokens.csv'), `${api.token},administrator,administrator,"system:masters"\n`, {
    mode: 0o600,
  });
  const etcd = startEtcd(options);
  const apiArgs = apiServerArgs(options, api.url, pki, await pki.client('kubelet-client', ['system:masters']));
  let server: Daemon | undefined;
  const stopApiServer = async (): Promise<void> => {
    await server?.stop();
    server = undefined;
  };
  const startApiServer = async (): Promise<void> => {
    const logFile = join(folder, 'kube-apiserver.log');
    server = startDaemon('kube-apiserver', { command: binary('kube-apiserver'), args: apiArgs, logFile });
    await untilReady(api, server, etcd);
  };
  const stop = async (): Promise<void> => {
    // An API server whose etcd went first waits for it.
    await stopApiServer();
    await etcd.stop();
  };
  await startApiServer().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigText(api.url, pki, { token: api.token }), { mode: 0o600 });
  return {
    api,
    pki,
    folder,
    kubeconfig,
    kubeconfigOf: async (user, groups) => {
      const path = join(folder, `${user.replaceAll(':', '-')}.kubeconfig`);
      const { certificate, privateKey } = await pki.client(user, groups);
      const credentials = { 'client-certificate': certificate, 'client-key': privateKey };
      await writeFile(path, kubeconfigText(api.url, pki, credentials), { mode: 0o600 });
      return path;
    },
    startApiServer,
    stopApiServer,
    stop,
    story: () => [etcd, server].map((each) => each?.story() ?? '').join('\n'),
  };
}

function startEtcd({ folder, ports }: ControlPlaneOptions): Daemon {
  const client = `http://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  const args = {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
    // What is in it is thrown away.
    'unsafe-no-fsync': 'true',
  };
  return startDaemon('etcd', { command: binary('etcd'), args: flags(args), logFile: join(folder, 'etcd.log') });
}

function apiServerArgs(
  { folder, bind, address, ports, serviceRange, extraArgs = [], endpoints = 'none' }: ControlPlaneOptions,
  url: string,
  pki: ClusterPki,
  toKubelets: KeyPairFiles,
): readonly string[] {
  const args = {
    'etcd-servers': `http://127.0.0.1:${ports.etcd}`,
    'bind-address': bind,
    'advertise-address': address,
    'secure-port': String(ports.api),
    'tls-cert-file': pki.serving.certificate,
    'tls-private-key-file': pki.serving.privateKey,
    'client-ca-file': pki.caFile,
    'token-auth-file': join(folder, 'tokens.csv'),
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'allow-privileged': 'true',
    'service-cluster-ip-range': serviceRange,
    'service-account-issuer': url,
    'service-account-key-file': pki.tokenPublicKeyFile,
    'service-account-signing-key-file': pki.tokenKeyFile,
    'kubelet-preferred-address-types': 'InternalIP',
    'kubelet-client-certificate': toKubelets.certificate,
    'kubelet-client-key': toKubelets.privateKey,
    'endpoint-reconciler-type': endpoints,
  };
  return [...flags(args), ...extraArgs];
}

/** `--name=value` of each. */
export function flags(args: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(args).map(([name, value]) => `--${name}=${value}`);
}

/** The `kubernetes` service has the first address of the range. */
function firstAddressOf(range: string): string {
  const [network = ''] = range.split('/');
  return network.replace(/\d+$/, (last) => String(Number(last) + 1));
}

async function untilReady(api: KubeApi, server: Daemon, etcd: Daemon): Promise<void> {
  const deadline = performance.now() + READY_LIMIT_MS;
  for (;;) {
    const answer = await callApi(api, { path: '/readyz' }).catch(() => undefined);
    if (answer?.status === 200) return;
    const dead = [server, etcd].some((each) => !each.isRunning());
    if (dead || performance.now() > deadline) {
      throw new Error(`the API server did not get ready\n${etcd.story()}\n${server.story()}`);
    }
    await pause(LOOK_MS);
  }
}

function kubeconfigText(server: string, pki: ClusterPki, user: Readonly<Record<string, string>>): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': pki.caFile } }],
    users: [{ name: 'test', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  });
}
