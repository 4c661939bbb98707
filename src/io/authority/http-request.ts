import type { IncomingMessage } from 'node:http';

import { parseUniqueJson } from '../../core/bundle/unique-json.ts';
import { gatherBytes } from '../../core/kernel/gather-bytes.ts';
import { err, ok, type Result } from '../../core/kernel/result.ts';

/** A request for a certificate, as it was asked. */
export type SvidAsk = {
  /** DER of the PKCS #10 request. */
  readonly csr: Uint8Array;
  /** How the caller proves who it is; undefined: by the certificate of its connection (renewal). */
  readonly proof: { readonly method: 'join-token' | 'kubernetes'; readonly token: string } | undefined;
};

/** What `GET /v1/trust` may be asked with. */
export type TrustAsk = { readonly revision: string | undefined; readonly waitMs: number };

const KEYS: ReadonlySet<string> = new Set(['csr', 'method', 'token']);
/** Visible ASCII: join tokens and JWTs are. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/;

/** Reads the whole body. Fails where it is not announced as plain JSON, larger than `maxBytes`, no UTF-8, or cut off. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Result<string, string>> {
  const { headers } = request;
  if (!/^application\/json(?:;\s*charset=utf-8)?$/i.test(headers['content-type'] ?? ''))
    return err('body is not announced as JSON');
  if (headers['content-encoding'] !== undefined) return err('body is encoded');
  const tooLarge = err(`body is larger than ${maxBytes} bytes`);
  if (Number(headers['content-length'] ?? 0) > maxBytes) return tooLarge;
  try {
    const bytes = await gatherBytes(request as AsyncIterable<Uint8Array>, maxBytes);
    if (bytes === undefined) return tooLarge;
    return ok(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    return err(error instanceof TypeError ? 'body is no UTF-8' : 'body was cut off');
  }
}

/** Reads the body of `POST /v1/svid`: an object of the known keys, each once, `method` and `token` together or not at all. Nothing of it is in the error. */
export function readSvidAsk(text: string): Result<SvidAsk, string> {
  const parsed = parseUniqueJson(text);
  if (!parsed.ok) return err('body is no JSON, or names a key twice');
  const { value } = parsed;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return err('body is no object');
  if (!Object.keys(value).every((key) => KEYS.has(key))) return err('body has an unknown key');
  const { csr, method, token } = value as Readonly<Record<string, unknown>>;
  const der = bytesOf(csr);
  if (der === undefined) return err('csr is no base64');
  if (method === undefined && token === undefined) return ok({ csr: der, proof: undefined });
  if (method !== 'join-token' && method !== 'kubernetes') return err('method is missing or unknown');
  if (typeof token !== 'string' || !TOKEN.test(token)) return err('token is missing or has not the form of one');
  return ok({ csr: der, proof: { method, token } });
}

/** Reads the query of `GET /v1/trust`: each parameter at most once and no others. A longer wait than `maxWaitMs` is shortened. */
export function readTrustAsk(query: URLSearchParams, maxWaitMs: number): Result<TrustAsk, string> {
  const names = [...query.keys()];
  if (new Set(names).size < names.length || !names.every((name) => name === 'revision' || name === 'wait'))
    return err('query has an unknown parameter, or one twice');
  const wait = query.get('wait') ?? '0';
  if (!/^[0-9]{1,6}$/.test(wait)) return err('wait is no number of seconds');
  const revision = query.get('revision') ?? undefined;
  if (revision !== undefined && !/^[\x21-\x7e]{1,256}$/.test(revision)) return err('revision has not the form of one');
  return ok({ revision, waitMs: Math.min(maxWaitMs, Number(wait) * 1_000) });
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  try {
    return Uint8Array.fromBase64(value, { lastChunkHandling: 'strict' });
  } catch {
    return undefined;
  }
}
