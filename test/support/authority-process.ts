import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

import { createTrustStore } from '../../src/core/identity/trust-store.ts';
import type { TrustDomain } from '../../src/core/kernel/brand.ts';
import { openAuthorityStore, type AuthorityStore } from '../../src/io/authority/authority-store.ts';
import { initAuthority } from '../../src/io/authority/ca-setup.ts';
import type { CaDeps } from '../../src/io/authority/issuing-ca.ts';
import { createJoinToken } from '../../src/io/authority/join-token.ts';
import { plainKeyFiles } from '../../src/io/authority/key-files.ts';
import { revoke, type RevocationRequest } from '../../src/io/authority/revoking.ts';
import { DAY, HOUR, valueOf } from './authority-world.ts';
import { callHttps, type TrustOnWire } from './served-authority.ts';
import type { LogEntry, RawConfig } from './sidecar-process.ts';
import { systemClock, systemRandom } from './system-clock.ts';
import { tempFolder } from './temp-folder.ts';
import { until } from './until.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const DOMAIN = 'example.org';

export type AuthorityProcessOptions = {
  /** `lifetimes.leaf` and `lifetimes.list`. Default an hour and ten minutes. */
  readonly leaf?: string;
  readonly list?: string;
  /** Top-level keys, over all others. */
  readonly config?: RawConfig;
  /** False: the folder and the address are there, and nobody listens until `start`. */
  readonly started?: boolean;
};

/** What is believed, as the authority tells it, and what a sidecar's log calls it. */
export type PublishedTrust = {
  /** Of the long poll. */
  readonly revision: string;
  readonly roots: number;
  /** `trust` of `identity in force`. */
  readonly storeRevision: string;
};

/**
 * `sallyport ca serve` as a user starts it, over a folder that the test has opened too, as the commands do while it runs. It keeps folder and port over any
 * number of lives, and ends with the test, by the process id that it was started with.
 */
export class AuthorityProcess {
  readonly folder: string;
  readonly id: string = `spiffe://${DOMAIN}/sallyport/authority`;
  readonly store: AuthorityStore;
  readonly deps: CaDeps;
  /** Of all lives. */
  readonly log: LogEntry[] = [];
  readonly complaints: string[] = [];
  readonly #config: RawConfig;
  #port = 0;
  #child: ChildProcess | undefined;
  #gone: Promise<unknown> = Promise.resolve();

  constructor(folder: string, store: AuthorityStore, deps: CaDeps, config: RawConfig) {
    this.folder = folder;
    this.store = store;
    this.deps = deps;
    this.#config = config;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** The PEM file of its roots, as `ca init` leaves it for sidecars that begin. */
  get rootsFile(): string {
    return join(this.folder, `${DOMAIN}.pem`);
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Starts it, and waits until it listens. */
  async start(): Promise<void> {
    const from = this.log.length;
    const path = join(this.folder, 'serve.json');
    await writeFile(path, JSON.stringify({ ...this.#config, listen: `127.0.0.1:${this.#port}` }));
    const child = spawn(process.execPath, [MAIN, 'ca', 'serve', '--config', path], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    const ended = Promise.withResolvers<undefined>();
    this.#gone = ended.promise;
    child.once('close', () => {
      if (this.#child === child) this.#child = undefined;
      ended.resolve(undefined);
    });
    createInterface({ input: child.stderr }).on('line', (line) => this.#heard(line));
    await this.#until('the authority to listen', () => {
      if (!this.isRunning) throw new Error(`the authority did not start\n${this.story()}`);
      const said = this.log.slice(from).find(({ msg }) => msg === 'authority listening');
      this.#port = Number(said?.['port'] ?? this.#port);
      return said !== undefined;
    });
  }

  /** As by a lost machine: nothing is told to anybody. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#gone;
  }

  /** As by an operator. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    await this.#gone;
  }

  /** A join token for an ID. */
  token(spiffeId: string): string {
    return valueOf(createJoinToken(this.store, { spiffeId, ttlMs: HOUR }, this.deps)).token;
  }

  /** Revokes, as `ca revoke` does while it runs; resolved when that is on the disk. */
  revoke(which: RevocationRequest['which'], bar = false): void {
    valueOf(revoke(this.store, { which, reason: 'test', bar }, this.deps));
  }

  /** What it publishes now; with `after` it waits up to `waitS` for something else than that. */
  async trust(after?: PublishedTrust, waitS = 1): Promise<PublishedTrust> {
    const query = after === undefined ? '' : `?revision=${after.revision}&wait=${waitS}`;
    const { status, json } = await callHttps({ port: this.#port, path: `/v1/trust${query}` });
    if (status === 304 && after !== undefined) return after;
    const { revision, bundles, crls } = json as TrustOnWire;
    const roots = ders(bundles[DOMAIN] ?? []);
    const store = valueOf(createTrustStore(new Map([[DOMAIN as TrustDomain, roots]]), ders(crls)));
    return { revision, roots: roots.length, storeRevision: store.revision };
  }

  /** The issuance log, as far as it is written. */
  async issuanceLog(): Promise<string> {
    return readFile(join(this.folder, 'issuance.jsonl'), 'utf8');
  }

  /** The end of what it said, for messages. */
  story(): string {
    const log = this.log.slice(-12).map((entry) => `  authority ${JSON.stringify(entry)}`);
    return [...this.complaints.slice(-12), ...log].join('\n');
  }

  async #until<T>(what: string, look: () => T | undefined | false): Promise<T> {
    try {
      return await until(what, look);
    } catch (error) {
      throw new Error(`${String(error)}\n${this.story()}`, { cause: error });
    }
  }

  #heard(line: string): void {
    try {
      this.log.push(JSON.parse(line) as LogEntry);
    } catch {
      this.complaints.push(line);
    }
  }
}

function ders(texts: readonly string[]): readonly Uint8Array[] {
  return texts.map((text) => Uint8Array.fromBase64(text));
}

/** Makes an authority of `example.org` and starts it. */
export async function startAuthorityProcess(
  context: TestContext,
  options: AuthorityProcessOptions = {},
): Promise<AuthorityProcess> {
  const { leaf = '1h', list = '10m', config, started = true } = options;
  const folder = join(await tempFolder(context), 'ca');
  await mkdir(folder, { mode: 0o700 });
  const store = openAuthorityStore(folder, { busyMs: 5_000 });
  const deps: CaDeps = { clock: systemClock, random: systemRandom, openKey: plainKeyFiles(folder) };
  const root = { keyKind: 'p256', ttlMs: 30 * DAY } as const;
  valueOf(await initAuthority(store, { trustDomain: DOMAIN, root, issuing: ISSUING }, deps));
  const authority = new AuthorityProcess(folder, store, deps, {
    trustDomain: DOMAIN,
    dir: folder,
    lifetimes: { leaf, list },
    // All callers of a test have one address, and short lives ask often.
    limits: { perSource: 1_000, perId: 1_000 },
    ...config,
  });
  context.after(async () => {
    await authority.kill();
    store.close();
  });
  await authority.start();
  // A port that was free once is ours from now on.
  if (!started) await authority.kill();
  return authority;
}

/** The issuing CA that tests ask for. */
export const ISSUING = { ttlMs: 10 * DAY, key: { kind: 'new', keyKind: 'p256' } } as const;
