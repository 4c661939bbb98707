import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';

import { until } from '../support/until.ts';
import type { Cluster } from './cluster.ts';
import { callApi } from './kube-api.ts';

const CHART = resolve(import.meta.dirname, '../../helm/sallyport');

/** Values of a chart as `--set` would have them. */
export type Values = Readonly<Record<string, unknown>>;

/** The chart in the cluster of the tests, in a namespace of its own. */
export type Installed = {
  readonly namespace: string;
  /** `helm upgrade --wait` with these values instead of those of the installation; until the injectors from before are gone. */
  readonly upgrade: (values?: Values, chart?: string) => Promise<void>;
  readonly uninstall: () => Promise<void>;
};

/** What the README tells to do, word by word. */
export const README_COMMANDS = {
  install: 'helm install sallyport helm/sallyport -n sallyport-system --create-namespace',
  label: 'kubectl label namespace agents sallyport.dev/inject=enabled',
} as const;

/** Installs the chart by the README's command and `--wait`; where there are `values`, with those and the image of this clone by its own name. Uninstalled when the test ends. */
export async function install(cluster: Cluster, context: TestContext, values: Values = {}): Promise<Installed> {
  const namespace = 'sallyport-system';
  await volume(cluster, context);
  const file = join(cluster.folder, `values-${randomBytes(4).toString('hex')}.json`);
  const base = Object.keys(values).length === 0 ? {} : usual(cluster);
  const run = async (command: readonly string[], own: Values): Promise<void> => {
    const merged = { ...base, ...own };
    await writeFile(file, JSON.stringify(merged));
    const told = command.map((word) => (word === 'helm/sallyport' ? CHART : word));
    const given = Object.keys(merged).length === 0 ? [] : ['-f', file];
    await cluster.helm([...told, ...given, '--wait', '--timeout', '120s']);
  };
  const [, ...installing] = README_COMMANDS.install.split(' ');
  const upgrading = ['upgrade', 'sallyport', 'helm/sallyport', '-n', namespace];
  let isThere = true;
  const uninstall = async (): Promise<void> => {
    if (!isThere) return;
    isThere = false;
    await cluster.helm(['uninstall', 'sallyport', '-n', namespace, '--wait']);
    await cluster.kubectl(['delete', 'namespace', namespace, '--timeout=60s']);
  };
  context.after(uninstall);
  try {
    await run(installing, values);
  } catch (error) {
    throw new Error(`${String(error)}\n${await cluster.story(namespace)}`, { cause: error });
  }
  const upgrade = async (own: Values = {}): Promise<void> => {
    await run(upgrading, own);
    await noneDrains(cluster, namespace);
  };
  return { namespace, upgrade, uninstall };
}

/** An injector that drains may still be asked, and injects as it was told before (docs/kubernetes/troubleshooting.md): what is made next is to come from the new ones. */
async function noneDrains(cluster: Cluster, namespace: string): Promise<void> {
  const ending = ['-o', 'jsonpath={.items[*].metadata.deletionTimestamp}'];
  const injectors = ['-n', namespace, 'get', 'pods', '-l', 'app.kubernetes.io/component=injector', ...ending];
  await until('injectors that drain to be gone', async () => (await cluster.kubectl(injectors)).trim() === '');
}

function usual(cluster: Cluster): Values {
  const [repository = '', tag = ''] = cluster.images.sallyport.split(/:(?=[^:/]*$)/);
  return { image: { repository, tag } };
}

/** A volume on the node: this cluster makes none by itself. */
async function volume(cluster: Cluster, context: TestContext): Promise<void> {
  const name = `volume-${randomBytes(4).toString('hex')}`;
  const path = join(cluster.folder, name);
  await mkdir(path);
  await chmod(path, 0o777);
  const spec = {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: 'standard',
    hostPath: { path },
  };
  const isDefault = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  await cluster.apply(
    'default',
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'standard', annotations: isDefault },
      provisioner: 'kubernetes.io/no-provisioner',
    },
    { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec },
  );
  context.after(async () => {
    await callApi(cluster.api, { method: 'DELETE', path: `/api/v1/persistentvolumes/${name}` });
  });
}
