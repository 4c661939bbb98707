import { importPublicKey } from './algorithms.ts';

/** Members of a JWK that say which public key it is (RFC 7518 6.2.1, 6.3.1; RFC 8037 2). */
export type PublicJwk = { readonly kty: 'EC' | 'RSA' | 'OKP' } & Readonly<
  Partial<Record<'crv' | 'x' | 'y' | 'n' | 'e', string>>
>;

/** Members that only private keys have (RFC 7518 6.2.2, 6.3.2, 6.4.1). */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const;

/** The public key of a SubjectPublicKeyInfo as JWK; undefined for keys that are not accepted (`algorithms.ts`). */
export function publicJwk(spki: Uint8Array): PublicJwk | undefined {
  const key = importPublicKey(spki);
  return key.ok ? (key.value.key.export({ format: 'jwk' }) as PublicJwk) : undefined;
}

/** Why `entry` is no JWK of this very key (RFC 7517 4.7), or undefined. Members that it leaves out are not missed, the certificate has them. */
export function jwkFlaw(entry: Readonly<Record<string, unknown>>, key: PublicJwk): string | undefined {
  if (PRIVATE.some((name) => Object.hasOwn(entry, name)))
    return 'holds a private key: whoever published it must replace it';
  if (entry['kty'] !== key.kty) return 'kty is not that of its certificate';
  const names = ['crv', 'x', 'y', 'n', 'e'] as const;
  const other = names.find((name) => Object.hasOwn(entry, name) && entry[name] !== key[name]);
  return other === undefined ? undefined : `${other} is not that of its certificate`;
}
