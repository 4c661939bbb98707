import { createHash } from 'node:crypto';

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

async function readToken(path: string, readFile: ReadFile): Promise<Result<string, string>> {
  const text = await readText(path, readFile, true);
  if (!text.ok) return text;
  const token = text.value?.trim() ?? '';
  return TOKEN.test(token) ? ok(token) : err(`${path}: holds no bearer token (RFC 6750 2.1)`);
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
