import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
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

/** For `test`: why tokens cannot be tested on this machine, if so. */
export const needsSoftHsm = {
  skip:
    commands && provider !== undefined && client !== undefined && existsSync(SOFTHSM)
      ? false
      : 'needs SoftHSM, p11-kit, pkcs11-tool and pkcs11-provider (.ci/softhsm installs them)',
};

/** A token with one key, as a process sees it that is started with `env`. */
export type SoftToken = {
  readonly uri: string;
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
};

/**
 * Makes a token with a key pair that cannot be extracted, and serves it from a process of its own until the test ends. `keyType` as pkcs11-tool
 * names it.
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
  const login = ['--module', SOFTHSM, '--login', '--pin', PIN, '--token-label', 'ca'];
  execFileSync(
    'pkcs11-tool',
    [...login, '--keypairgen', '--key-type', keyType, '--id', '01', '--label', 'issuing'],
    quietly,
  );
  const socket = at('p11.sock');
  const server = spawn(
    'p11-kit',
    ['server', '--foreground', '--provider', SOFTHSM, '--name', socket, 'pkcs11:token=ca'],
    {
      env,
      stdio: 'ignore',
    },
  );
  context.after(() => void server.kill('SIGKILL'));
  await until('the token server', () => existsSync(socket));
  return {
    uri: 'pkcs11:token=ca;object=issuing;type=private',
    folder,
    env: {
      OPENSSL_CONF: join(ROOT, 'examples/pkcs11/openssl.cnf'),
      PKCS11_PROVIDER: provider ?? '',
      PKCS11_MODULE: client ?? '',
      PKCS11_PIN: `file:${at('pin')}`,
      P11_KIT_SERVER_ADDRESS: `unix:path=${socket}`,
    },
  };
}
