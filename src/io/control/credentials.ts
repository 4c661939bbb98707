import { createHash } from 'node:crypto';

import { REGISTRY_LOGIN } from '../../core/config/targets.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { ControlSettings, ReadFile } from './settings.ts';

/** What is shown to a server, and whom we believe there. Never to be logged. */
export type Credentials = {
  readonly authorization: string | undefined;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Changes with the TLS part. */
  readonly tlsDigest: string;
};

const MAX_BYTES = 1_048_576;
/** RFC 6750 2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]{1,8192}=*$/;

const PEM = {
  CERTIFICATE: /^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/m,
  'PRIVATE KEY': /^-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/m,
} as const;

/** Reads the files that the settings name, as they stand now. Errors name the file and the reason, never its content. */
export async function readCredentials(
  settings: ControlSettings,
  readFile: ReadFile,
): Promise<Result<Credentials, string>> {
  const { tokenFile, trustBundle, certificate, privateKey } = settings;
  const [token, ca, cert, key] = await Promise.all([
    tokenFile === undefined ? ok(settings.token) : readToken(tokenFile, readFile),
    readPem(trustBundle, readFile, 'CERTIFICATE'),
    readPem(certificate, readFile, 'CERTIFICATE'),
    readPem(privateKey, readFile, 'PRIVATE KEY'),
  ]);
  if (!token.ok) return token;
  if (!ca.ok) return ca;
  if (!key.ok) return key;
  if (!cert.ok) return cert;
  const tls = {
    ...(ca.value !== undefined && { ca: ca.value }),
    ...(cert.value !== undefined && { cert: cert.value }),
    ...(key.value !== undefined && { key: key.value }),
  };
  return ok({
    authorization: token.value === undefined ? undefined : `Bearer ${token.value}`,
    tls,
    tlsDigest: createHash('sha256').update(JSON.stringify(tls)).digest('hex'),
  });
}

/** What a registry is told of us: nothing, a bearer token, or a login for it or its token service. Never to be logged. */
export type RegistryCredentials =
  | { readonly kind: 'none' }
  /** `authorization`: the field's value. */
  | { readonly kind: 'bearer' | 'basic'; readonly authorization: string };

/** Reads what is configured for a registry, as it stands now. */
export async function readRegistryCredentials(
  { token, tokenFile }: Pick<ControlSettings, 'token' | 'tokenFile'>,
  readFile: ReadFile,
): Promise<Result<RegistryCredentials, string>> {
  const read = tokenFile === undefined ? ok(token) : await readSecret(tokenFile, readFile);
  if (!read.ok) return read;
  if (read.value === undefined) return ok({ kind: 'none' });
  if (TOKEN.test(read.value)) return ok({ kind: 'bearer', authorization: `Bearer ${read.value}` });
  if (!REGISTRY_LOGIN.test(read.value))
    return err(`${tokenFile}: holds neither a bearer token (RFC 6750 2.1) nor USER:PASSWORD`);
  return ok({ kind: 'basic', authorization: `Basic ${Buffer.from(read.value).toString('base64')}` });
}

async function readToken(path: string, readFile: ReadFile): Promise<Result<string, string>> {
  const token = await readSecret(path, readFile);
  if (!token.ok || TOKEN.test(token.value)) return token;
  return err(`${path}: holds no bearer token (RFC 6750 2.1)`);
}

async function readSecret(path: string, readFile: ReadFile): Promise<Result<string, string>> {
  const text = await readText(path, readFile, true);
  return text.ok ? ok(text.value?.trim() ?? '') : text;
}

/** An empty file would count for no file: the system's authorities would be believed in place of ours, or no certificate shown. */
async function readPem(
  path: string | undefined,
  readFile: ReadFile,
  what: 'CERTIFICATE' | 'PRIVATE KEY',
): Promise<Result<string | undefined, string>> {
  const text = await readText(path, readFile, what === 'PRIVATE KEY');
  if (!text.ok || text.value === undefined || PEM[what].test(text.value)) return text;
  return err(`${path}: holds no ${what.toLowerCase()} in PEM (-----BEGIN ${what}-----)`);
}

async function readText(
  path: string | undefined,
  readFile: ReadFile,
  secret: boolean,
): Promise<Result<string | undefined, string>> {
  if (path === undefined) return ok(undefined);
  const file = await readFile(path, MAX_BYTES);
  if (!file.ok) return file;
  if (secret && (file.value.mode & 0o026) !== 0) {
    return err(`${path}: others can read or change it (mode ${file.value.mode.toString(8)}); chmod 600 it`);
  }
  return ok(new TextDecoder().decode(file.value.bytes));
}
