import { readJws } from '../../core/bundle/jws.ts';
import { readSignatures as readToken } from '../../core/bundle/signature-files.ts';

/** What a signature says of itself; nothing of it is proven. */
export type StatedSignature = { readonly algorithm: string; readonly keyId?: string; readonly scope?: string };

/** Reads what signatures of the bundles say; one that cannot be read says `unreadable`. */
export function readSignatures(files: readonly Uint8Array[]): readonly StatedSignature[] {
  return files.map(stated);
}

function stated(bytes: Uint8Array): StatedSignature {
  const token = readToken(bytes);
  const jws = token.ok ? readJws(token.value) : token;
  if (!jws.ok) return { algorithm: 'unreadable' };
  const { header, payload } = jws.value;
  const keyId = text(header, 'kid') ?? text(payload, 'keyid');
  const scope = text(payload, 'scope');
  return {
    algorithm: text(header, 'alg') ?? 'none',
    ...(keyId === undefined ? {} : { keyId }),
    ...(scope === undefined ? {} : { scope }),
  };
}

function text(of: unknown, key: string): string | undefined {
  const value: unknown = typeof of === 'object' && of !== null ? (of as Record<string, unknown>)[key] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** One line about it. */
export function shownSignature({ algorithm, keyId, scope }: StatedSignature): string {
  const key = keyId === undefined ? '' : `, key ${keyId}`;
  return `${algorithm}${key}${scope === undefined ? '' : `, scope ${scope}`}; not verified here, see \`sallyport policy verify\``;
}
