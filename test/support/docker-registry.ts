import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';

import { freePorts } from './free-ports.ts';
import { OCI_LAYER, OCI_MANIFEST } from './scripted-registry.ts';
import { tempFolder } from './temp-folder.ts';
import { until } from './until.ts';

const COMMAND = findCommand();

/** For tests that need a real registry: why they are skipped without. */
export const needsDockerRegistry = {
  skip: COMMAND === undefined ? 'docker-registry (distribution) is not here: apt-get install docker-registry' : false,
} as const;

/** A registry that others have written, on loopback and in the clear. */
export type DockerRegistry = {
  readonly port: number;
  /** Pushes a bundle as one layer, as `oras push` does. Gives the digest of its manifest. */
  readonly push: (repository: string, tag: string, bundle: Uint8Array) => Promise<string>;
};

/** Starts `docker-registry`, gone when the test ends. */
export async function startDockerRegistry(context: TestContext): Promise<DockerRegistry> {
  const folder = await tempFolder(context);
  const [port = 0] = await freePorts(1);
  const config = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'content') } },
    http: { addr: `127.0.0.1:${port}` },
  };
  const path = join(folder, 'config.yml');
  await writeFile(path, JSON.stringify(config));
  const child = spawn(COMMAND ?? '', ['serve', path], { stdio: 'ignore', env: {} });
  const ended = new Promise((resolve) => child.once('close', resolve));
  context.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const origin = `http://127.0.0.1:${port}`;
  await until('docker-registry', async () => (await fetch(`${origin}/v2/`).catch(() => undefined))?.ok === true);
  return { port, push: (repository, tag, bundle) => push(`${origin}/v2/${repository}`, tag, bundle) };
}

async function push(repository: string, tag: string, bundle: Uint8Array): Promise<string> {
  const config = new TextEncoder().encode('{}');
  const descriptor = async (mediaType: string, bytes: Uint8Array): Promise<Record<string, unknown>> => ({
    mediaType,
    digest: await upload(repository, bytes),
    size: bytes.length,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: await descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [await descriptor(OCI_LAYER, bundle)],
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  await put(`${repository}/manifests/${tag}`, bytes, OCI_MANIFEST);
  return digestOf(bytes);
}

/** OCI Distribution Specification 1.1, "Pushing blobs": POST, then PUT. */
async function upload(repository: string, bytes: Uint8Array): Promise<string> {
  const digest = digestOf(bytes);
  const begun = await fetch(`${repository}/blobs/uploads/`, { method: 'POST' });
  const url = new URL(begun.headers.get('location') ?? '', repository);
  url.searchParams.set('digest', digest);
  await put(url.href, bytes, 'application/octet-stream');
  return digest;
}

async function put(url: string, bytes: Uint8Array, type: string): Promise<void> {
  const { status } = await fetch(url, { method: 'PUT', headers: { 'content-type': type }, body: Buffer.from(bytes) });
  if (status !== 201) throw new Error(`PUT ${new URL(url).pathname}: ${status}`);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function findCommand(): string | undefined {
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'docker-registry'));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
