import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { commandPath } from './commands.ts';
import { tempFolder } from './temp-folder.ts';
import { until } from './until.ts';

import type { TestContext } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');
const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so';
const PIN = '1234';

/** The first of some files that is there. */
function find(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function libraries(below: string): readonly string[] {
  return existsSync('/usr/lib') ? readdirSync('/usr/lib').map((name) => join('/usr/lib', name, below)) : [];
}

const provider = find('pkcs11.so', [...libraries('ossl-modules'), join(ROOT, 'node_modules/.cache/pkcs11')]);
const client = find('p11-kit-client.so', libraries('pkcs11'));
const commands = ['softhsm2-util', 'p11-kit', 'pkcs11-tool'].every((name) => commandPath(name) !== undefined);

/** OpenSSL's provider and p11-kit's module; empty where they are not there. */
export const providerPaths = { provider: provider ?? '', client: client ?? '' } as const;

/** For `test`: why tokens cannot be tested on this machine, if so. */
export const needsSoftHsm = {
  skip:
    commands && provider !== undefined && client !== undefined && existsSync(SOFTHSM)
      ? false
      : 'needs SoftHSM, p11-kit, pkcs11-tool and pkcs11-provider (.ci/softhsm installs them)',
};

/** A token, as a process sees it that is started with `env`. */
export type SoftToken = {
  /** Of its first key, `issuing`. */
  readonly uri: string;
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** Makes one more key pair; `keyType` as pkcs11-tool names it. Gives its URI. */
  readonly addKey: (label: string, keyType?: string) => string;
  /** SubjectPublicKeyInfo of a key, DER. */
  readonly spki: (label?: string) => Buffer;
  /** Takes the token away: nobody who used it is answered any more. */
  readonly takeAway: () => Promise<void>;
  /** Puts it back, at the same address. */
  readonly putBack: () => Promise<void>;
};

/**
 * Makes a token with a key pair that cannot be extracted, and serves it from a process of its own until the test ends. `keyType` as pkcs11-tool
 * names it. The commands are those of docs/keys.md.
 */
export async function softToken(context: TestContext, keyType = 'EC:prime256v1'): Promise<SoftToken> {
  const folder = await tempFolder(context);
  const at = (name: string): string => join(folder, name);
  mkdirSync(at('tokens'));
  writeFileSync(
    at('softhsm2.conf'),
    `directories.tokendir = ${at('tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  writeFileSync(at('pin'), PIN, { mode: 0o600 });
  const env = { ...process.env, SOFTHSM2_CONF: at('softhsm2.conf') };
  const quietly = { env, stdio: 'pipe' } as const;
  execFileSync('softhsm2-util', ['--init-token', '--free', '--label', 'ca', '--pin', PIN, '--so-pin', '5678'], quietly);
  const login = ['--module', SOFTHSM, '--token-label', 'ca', '--login', '--pin', PIN];
  let keys = 0;
  const addKey = (label: string, type = 'EC:prime256v1'): string => {
    keys += 1;
    const id = keys.toString(16).padStart(2, '0');
    execFileSync('pkcs11-tool', [...login, '--keypairgen', '--key-type', type, '--id', id, '--label', label], quietly);
    return `pkcs11:token=ca;object=${label};type=private`;
  };
  const uri = addKey('issuing', keyType);
  const server = new TokenServer(at('p11.sock'), env);
  context.after(() => server.stop());
  await server.start();
  return {
    uri,
    folder,
    env: {
      OPENSSL_CONF: join(ROOT, 'examples/pkcs11/openssl.cnf'),
      PKCS11_PROVIDER: provider ?? '',
      PKCS11_MODULE: client ?? '',
      PKCS11_PIN: `file:${at('pin')}`,
      P11_KIT_SERVER_ADDRESS: `unix:path=${at('p11.sock')}`,
    },
    addKey,
    spki: (label = 'issuing') => {
      const read = ['--read-object', '--type', 'pubkey', '--label', label, '--output-file', at('public')];
      execFileSync('pkcs11-tool', [...login, ...read], quietly);
      return readFileSync(at('public'));
    },
    takeAway: () => server.stop(),
    putBack: () => server.start(),
  };
}

/** Gives processes that are started from now on, until the test ends, what they need for the token. */
export function inEnvironmentOf(context: TestContext, { env }: SoftToken): void {
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, env);
  context.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  });
}

/** `p11-kit server`, which gives each client a process of its own: all of them are one process group. */
class TokenServer {
  readonly #socket: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;

  constructor(socket: string, env: NodeJS.ProcessEnv) {
    this.#socket = socket;
    this.#env = env;
  }

  async start(): Promise<void> {
    rmSync(this.#socket, { force: true });
    const serve = ['server', '--foreground', '--provider', SOFTHSM, '--name', this.#socket, 'pkcs11:token=ca'];
    this.#child = spawn('p11-kit', serve, { env: this.#env, stdio: 'ignore', detached: true });
    await until('the token server', () => existsSync(this.#socket));
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined) return;
    const gone = once(child, 'exit');
    process.kill(-child.pid, 'SIGKILL');
    await gone;
  }
}
