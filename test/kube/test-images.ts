import { join, resolve } from 'node:path';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';

import { imageLabels, imageLayers, makeProduct, RUN } from '../../helm/image/contents.ts';
import { complete, fileOf, folder, text, type ImageEntry, type ImageLayer } from '../../helm/image/entry.ts';
import { writeArchive, type ArchivedImage } from '../../helm/image/archive.ts';
import { runCommand } from './kube-tools.ts';
import { containerdSocket, REGISTRY } from './node-parts.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
const APPLETS = [
  'cat',
  'echo',
  'env',
  'false',
  'httpd',
  'id',
  'ls',
  'nc',
  'nslookup',
  'sh',
  'sleep',
  'timeout',
  'true',
  'wget',
];

/** Images that the node has. */
export const IMAGES = {
  /** The product, as it stands in this clone. */
  sallyport: `${REGISTRY}/sallyport:${version}`,
  /** The same again, for upgrades. */
  sallyportNext: `${REGISTRY}/sallyport:next`,
  /** A shell, wget, nc, httpd, nslookup; sleeps unless told otherwise. */
  busybox: `${REGISTRY}/busybox:1`,
  /** Node and busybox, for agents whose programs are mounted into them. */
  node: `${REGISTRY}/node:1`,
} as const;

/** Makes the images and gives them to containerd. */
export async function importImages(clusterFolder: string): Promise<void> {
  const work = join(clusterFolder, 'images');
  mkdirSync(work);
  await makeProduct(ROOT, work, join(work, 'dist'));
  const [system, product] = imageLayers(ROOT, join(work, 'dist'));
  if (system === undefined || product === undefined) throw new Error('the image has other layers than two');
  const sleeping = { ...NOTHING_TOLD, command: ['/bin/busybox', 'sleep', '1000000'], env: ['PATH=/bin:/usr/bin'] };
  const ours = { layers: [system, product], config: { ...RUN, labels: imageLabels(ROOT) } };
  const images: readonly ArchivedImage[] = [
    { tag: `${REGISTRY}/pause:1`, layers: [busybox], config: sleeping },
    { tag: IMAGES.busybox, layers: [busybox], config: sleeping },
    { tag: IMAGES.node, layers: [system, busybox], config: sleeping },
    { tag: IMAGES.sallyport, ...ours },
    // As the chart's defaults name it.
    { tag: `docker.io/library/sallyport:${version}`, ...ours },
    { tag: IMAGES.sallyportNext, ...ours },
  ];
  writeArchive(join(work, 'images.tar'), images, { work });
  const ctr = ['-a', containerdSocket(clusterFolder), '-n', 'k8s.io', 'images', 'import', join(work, 'images.tar')];
  const { code, stderr } = await runCommand('ctr', ctr);
  if (code !== 0) throw new Error(`ctr images import: exit ${code}\n${stderr}`);
  rmSync(work, { recursive: true });
}

const NOTHING_TOLD = { user: '0', entrypoint: [], labels: {} } as const;

const busybox: ImageLayer = {
  name: 'busybox',
  entries: complete([
    fileOf('/bin/busybox', '/bin/busybox', 0o755),
    ...APPLETS.map((name): ImageEntry => ({ kind: 'link', path: `/bin/${name}`, target: 'busybox' })),
    folder('/tmp', 0o1777),
    ...['/dev', '/proc', '/sys', '/var/run'].map((path) => folder(path)),
    text('/etc/nsswitch.conf', 'hosts: files dns\n'),
  ]),
};
