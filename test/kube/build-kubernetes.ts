import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { dyingWithUs } from './daemon.ts';
import { BUILD, type KubePart } from './recipe.ts';

const run = promisify(execFile);
/** A cold build of one part on a loaded machine; all of them share what they compile. */
const BUILD_LIMIT_MS = 40 * 60_000;
const DOWNLOAD_LIMIT_MS = 10 * 60_000;

type Module = { readonly GoMod: string; readonly Dir: string };

/**
 * Builds parts of Kubernetes with Go, from its module as the module proxy serves it, into `folder`. Its modules `k8s.io/…` are one tree in its own
 * repository and stand as v0.x of the same release at the proxy; everything else has exactly the versions that its own go.mod requires.
 */
export async function buildKubernetes(
  parts: readonly KubePart[],
  folder: string,
  say: (line: string) => void,
): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'sallyport-kube-build-'));
  try {
    const env = { ...process.env, GOFLAGS: '-mod=mod', GOWORK: 'off', CGO_ENABLED: BUILD.cgo };
    const module = `k8s.io/kubernetes@${BUILD.version}`;
    say(`fetching ${module}`);
    const options = { cwd: work, env, timeout: DOWNLOAD_LIMIT_MS, maxBuffer: 64 << 20 };
    const { stdout } = await run('go', ['mod', 'download', '-json', module], options);
    const { GoMod, Dir } = JSON.parse(stdout) as Module;
    await writeFile(join(work, 'go.mod'), outsideModule(await readFile(GoMod, 'utf8')));
    await writeFile(join(work, 'go.sum'), await readFile(join(Dir, 'go.sum')));
    for (const part of parts) {
      const began = performance.now();
      await build(part, work, env);
      // Another user of the cache sees the whole file or none.
      await copyFile(join(work, part), join(folder, `${part}.new-${process.pid}`));
      await rename(join(folder, `${part}.new-${process.pid}`), join(folder, part));
      say(`built ${part} ${BUILD.version} in ${Math.round((performance.now() - began) / 1000)} s`);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** A go.mod of our own that requires what that of Kubernetes requires. */
export function outsideModule(goMod: string): string {
  const staged = BUILD.version.replace('v1.', 'v0.');
  const text = goMod
    .replace(/^module .*$/m, 'module kubebuild')
    .replaceAll(/=>\s*\.\/staging\/src\/(k8s\.io\/\S+)/g, (_all, name: string) => `=> ${name} ${staged}`);
  const replaced = new Set(Array.from(text.matchAll(/(k8s\.io\/\S+) =>/g), ([, name]) => name));
  const unreleased = new Set(Array.from(text.matchAll(/^\s*(k8s\.io\/\S+) v0\.0\.0(?!-)/gm), ([, name]) => name));
  const others = [...unreleased].filter((name) => !replaced.has(name)).map((name) => `\t${name} => ${name} ${staged}`);
  const replace = others.length === 0 ? '' : `\nreplace (\n${others.join('\n')}\n)\n`;
  return `${text}\nrequire k8s.io/kubernetes ${BUILD.version}\n${replace}`;
}

async function build(part: KubePart, work: string, env: NodeJS.ProcessEnv): Promise<void> {
  const args = ['build', ...BUILD.flags, '-ldflags', linkerFlags(), '-o', join(work, part)];
  const [first, ...rest] = [...dyingWithUs(), 'go', ...args, `k8s.io/kubernetes/cmd/${part}`];
  const child = spawn(first ?? 'go', rest, {
    cwd: work,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: BUILD_LIMIT_MS,
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`go build of ${part} ${BUILD.version} ended with ${code ?? 'a signal'}; see above`);
}

/** The version that the parts tell of themselves; without it clients warn of skew. */
function linkerFlags(): string {
  const [, minor] = BUILD.version.split('.');
  const facts = { gitVersion: BUILD.version, gitMajor: '1', gitMinor: minor, gitTreeState: 'clean' };
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];
  const set = packages.flatMap((name) => Object.entries(facts).map(([key, value]) => `-X ${name}.${key}=${value}`));
  return [BUILD.linkerFlags, ...set].join(' ');
}
