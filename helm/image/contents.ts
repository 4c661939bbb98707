import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

import { bundleProduct } from './bundle.ts';
import { complete, fileOf, folder, text, type ImageEntry, type ImageLayer } from './entry.ts';
import { programWithLibraries } from './libraries.ts';
import { isRead, productionPackages } from './production-packages.ts';

/** Who runs in it: a sidecar by default, or whom a platform knows as nobody in particular. */
const USERS = { sallyport: 61337, nonroot: 65532 } as const;

/** How a container of it starts. */
export const RUN = {
  user: `${USERS.sallyport}:${USERS.sallyport}`,
  entrypoint: ['/usr/bin/node', '/app/dist/cli/main.js'],
  command: ['--help'],
  env: ['PATH=/usr/sbin:/usr/bin'],
} as const;

/** The policy of the sidecar in front of the policy service, compiled: that container starts without the Rego compiler, which takes 300 MiB. The chart names it. */
export const POLICY_SERVICE_BUNDLE = '/app/dist/policy-service.tar.gz';

const REGO = ['rego.wasm.br', 'rego.wasm.json'] as const;
const NFT = '/usr/sbin/nft';

/**
 * All that is in the image, from a clone at `root` after `npm ci`, with the product made in `made`: Node as npm pins it, nft for the redirect of a pod's traffic, both
 * with their libraries, and the product, its production dependencies in it. No shell, no package manager.
 */
export function imageLayers(root: string, made: string): readonly ImageLayer[] {
  const node = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin/node');
  if (!existsSync(node))
    throw new Error(`${node} is not here: images are made on Linux, x64 or arm64, from what npm ci installed`);
  if (!existsSync(NFT))
    throw new Error(`${NFT} is not here, which redirects the traffic of pods: apt-get install nftables`);
  return [
    {
      name: 'system',
      entries: complete([
        ...skeleton(),
        ...programWithLibraries('/usr/bin/node', node),
        ...programWithLibraries(NFT, NFT),
      ]),
    },
    { name: 'product', entries: complete([...product(root, made), ...productionPackages(root)]) },
  ];
}

function skeleton(): readonly ImageEntry[] {
  const users = [...Object.entries(USERS), ['nobody', 65534] as const];
  return [
    ...['/dev', '/proc', '/sys', '/run', '/var/run'].map((path) => folder(path)),
    folder('/tmp', 0o1777),
    text('/etc/passwd', ['root:x:0:0::/:', ...users.map(([name, id]) => `${name}:x:${id}:${id}::/:`), ''].join('\n')),
    text('/etc/group', ['root:x:0:', ...users.map(([name, id]) => `${name}:x:${id}:`), ''].join('\n')),
    // Without it names in /etc/hosts, where the kubelet writes a pod's own and its host aliases, would come after DNS.
    text('/etc/nsswitch.conf', 'hosts: files dns\n'),
    // nft asks here for the protocols that rules name (RFC 5237: the numbers of IANA).
    text('/etc/protocols', 'icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\n'),
  ];
}

function product(root: string, made: string): readonly ImageEntry[] {
  return [
    fileOf('/app/package.json', join(root, 'package.json')),
    fileOf('/app/LICENSE', join(root, 'LICENSE')),
    ...filesBelow(made).map((path) => fileOf(`/app/dist/${relative(made, path)}`, path)),
    ...REGO.map((name) => fileOf(`/app/dist/io/rego/${name}`, join(root, 'src/io/rego', name))),
    ...filesBelow(join(root, 'policies')).map((path) =>
      fileOf(`/app/policies/${relative(join(root, 'policies'), path)}`, path),
    ),
  ];
}

function filesBelow(path: string): readonly string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((item) => item.isFile() && isRead(item.name))
    .map((item) => join(item.parentPath, item.name));
}

/** Makes the product in few files, and the policy it has in front of its policy service, in `folder`; what is compiled on the way lies in `work`. */
export async function makeProduct(root: string, work: string, folder: string): Promise<void> {
  const compiled = join(work, 'compiled');
  compileProduct(root, compiled);
  await bundleProduct(root, compiled, folder);
  compilePolicyServiceBundle(root, folder);
}

/** A file for each module, as the package has them. Types are judged by `npm run types`, not here. */
export function compileProduct(root: string, folder: string): void {
  const compiler = join(root, 'node_modules/.bin/tsc');
  const options = ['-p', 'tsconfig.build.json', '--noCheck', '--declaration', 'false', '--outDir', folder];
  execFileSync(compiler, options, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** By `sallyport policy build`, whose bundle is the same bytes for the same source. */
export function compilePolicyServiceBundle(root: string, folder: string): void {
  const source = join(root, 'helm/image/policy-service.rego');
  const output = join(folder, basename(POLICY_SERVICE_BUNDLE));
  const options = ['--decision', 'sallyport/policy_service/decision', '--output', output];
  execFileSync(process.execPath, [join(root, 'src/cli/main.ts'), 'policy', 'build', source, ...options], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** What the image says of itself: the keys of the OCI image specification, annotations. */
export function imageLabels(root: string): Readonly<Record<string, string>> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, string>;
  return {
    'org.opencontainers.image.title': manifest['name'] ?? '',
    'org.opencontainers.image.version': manifest['version'] ?? '',
    'org.opencontainers.image.description': manifest['description'] ?? '',
    'org.opencontainers.image.licenses': manifest['license'] ?? '',
  };
}
