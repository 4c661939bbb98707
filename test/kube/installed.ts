import { randomBytes } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';

import type { Cluster } from './cluster.ts';
import { callApi } from './kube-api.ts';

const CHART = resolve(import.meta.dirname, '../../helm/sallyport');

/** Values of a chart as `--set` would have them. */
export type Values = Readonly<Record<string, unknown>>;

/** The chart in the cluster of the tests, in a namespace of its own. */
export type Installed = {
  readonly namespace: string;
  /** `helm upgrade --wait` with these values instead of those of the installation. */
  readonly upgrade: (values?: Values, chart?: string) => Promise<void>;
  readonly uninstall: () => Promise<void>;
};

/** Installs the chart as the README says, with `--wait`, with the image of this clone and a volume for the authority; uninstalled when the test ends. */
export async function install(cluster: Cluster, context: TestContext, values: Values = {}): Promise<Installed> {
  const namespace = 'sallyport-system';
  await volume(cluster, context);
  const file = join(cluster.folder, `values-${randomBytes(4).toString('hex')}.json`);
  const run = async (verb: readonly string[], own: Values): Promise<void> => {
    await writeValues(file, { ...usual(cluster), ...own });
    await cluster.helm([...verb, 'sallyport', CHART, '-n', namespace, '-f', file, '--wait', '--timeout', '120s']);
  };
  let isThere = true;
  const uninstall = async (): Promise<void> => {
    if (!isThere) return;
    isThere = false;
    await cluster.helm(['uninstall', 'sallyport', '-n', namespace, '--wait']);
    await cluster.kubectl(['delete', 'namespace', namespace, '--timeout=60s']);
  };
  context.after(uninstall);
  try {
    await run(['install', '--create-namespace'], values);
  } catch (error) {
    throw new Error(`${String(error)}\n${await cluster.story(namespace)}`, { cause: error });
  }
  return { namespace, upgrade: (own = {}) => run(['upgrade'], own), uninstall };
}

async function writeValues(file: string, values: Values): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  await writeFile(file, JSON.stringify(values));
}

function usual(cluster: Cluster): Values {
  const [repository = '', tag = ''] = cluster.images.sallyport.split(/:(?=[^:/]*$)/);
  return { image: { repository, tag }, authority: { persistence: { storageClass: '-' } } };
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
    storageClassName: '',
    hostPath: { path },
  };
  await cluster.apply('default', { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec });
  context.after(async () => {
    await callApi(cluster.api, { method: 'DELETE', path: `/api/v1/persistentvolumes/${name}` });
  });
}
