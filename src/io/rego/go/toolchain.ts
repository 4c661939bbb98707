import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('.', import.meta.url));

/** What `go.mod` pins. */
export interface Pinned {
  readonly opa: string;
  readonly go: string;
}

export async function readPinned(): Promise<Pinned> {
  const text = await readFile(join(folder, 'go.mod'), 'utf8');
  const go = /^toolchain go(\S+)$/m.exec(text)?.[1];
  const opa = /github\.com\/open-policy-agent\/opa v(\S+)$/m.exec(text)?.[1];
  if (go === undefined || opa === undefined) throw new Error('go.mod must pin a toolchain and a version of OPA');
  return { opa, go };
}

/** SHA-256 over all that the module is made from: the Go files, `go.mod` and `go.sum`. */
export async function digestOfSources(): Promise<string> {
  const names = (await readdir(folder)).filter((name) => /\.go$|^go\.(?:mod|sum)$/.test(name)).toSorted();
  const hash = createHash('sha256');
  for (const name of names) hash.update(`${name}\n`).update(await readFile(join(folder, name)));
  return hash.digest('hex');
}

/**
 * Is there a Go command here that is, or will fetch, the pinned version? (With `GOTOOLCHAIN=local` Go fetches nothing.)
 * Without one the answer says why.
 */
export async function goMissing(pinned: Pinned): Promise<string | undefined> {
  try {
    const { stdout } = await run('go', ['env', 'GOVERSION'], { cwd: folder, env: buildEnvironment(pinned) });
    return stdout.trim() === `go${pinned.go}` ? undefined : `go here is ${stdout.trim()}, not go${pinned.go}`;
  } catch (error) {
    return `go ${pinned.go} cannot be run here (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`;
  }
}

/** Builds the raw module; the same bytes on every machine. With cold caches this takes minutes. */
export async function buildModule(pinned: Pinned): Promise<Buffer> {
  const out = await mkdtemp(join(tmpdir(), 'rego-build-'));
  try {
    const flags = ['-trimpath', '-buildvcs=false', '-ldflags', '-s -w -buildid=', '-buildmode=c-shared'];
    const target = join(out, 'rego.wasm');
    await run('go', ['build', ...flags, '-o', target, '.'], { cwd: folder, env: buildEnvironment(pinned) });
    return await readFile(target);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** The caller's environment without what could change the bytes. */
function buildEnvironment(pinned: Pinned): NodeJS.ProcessEnv {
  const neutral = { GOFLAGS: '-mod=readonly', GOWORK: 'off', GOWASM: '', GOEXPERIMENT: '', GOFIPS140: 'off' };
  return {
    ...process.env,
    ...neutral,
    GOOS: 'wasip1',
    GOARCH: 'wasm',
    CGO_ENABLED: '0',
    GOTOOLCHAIN: `go${pinned.go}`,
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
