/** Algorithms of a bundle's signature (RFC 7518 3.1): those that OPA's configuration knows (v1/keys). */
export const SIGNATURE_ALGORITHMS = [
  ...(['ES256', 'ES384', 'ES512'] as const),
  ...(['HS256', 'HS384', 'HS512'] as const),
  ...(['PS256', 'PS384', 'PS512'] as const),
  ...(['RS256', 'RS384', 'RS512'] as const),
] as const;

export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number];

/** What an algorithm needs. */
export type AlgorithmFacts =
  | { readonly kind: 'ecdsa'; readonly hash: string; readonly curve: string }
  | { readonly kind: 'hmac'; readonly hash: string; readonly secretBytes: number }
  | { readonly kind: 'rsa-pss' | 'rsa-pkcs1'; readonly hash: string };

const FACTS = {
  ES256: { kind: 'ecdsa', hash: 'sha256', curve: 'prime256v1' },
  ES384: { kind: 'ecdsa', hash: 'sha384', curve: 'secp384r1' },
  ES512: { kind: 'ecdsa', hash: 'sha512', curve: 'secp521r1' },
  HS256: { kind: 'hmac', hash: 'sha256', secretBytes: 32 },
  HS384: { kind: 'hmac', hash: 'sha384', secretBytes: 48 },
  HS512: { kind: 'hmac', hash: 'sha512', secretBytes: 64 },
  PS256: { kind: 'rsa-pss', hash: 'sha256' },
  PS384: { kind: 'rsa-pss', hash: 'sha384' },
  PS512: { kind: 'rsa-pss', hash: 'sha512' },
  RS256: { kind: 'rsa-pkcs1', hash: 'sha256' },
  RS384: { kind: 'rsa-pkcs1', hash: 'sha384' },
  RS512: { kind: 'rsa-pkcs1', hash: 'sha512' },
} as const satisfies Record<SignatureAlgorithm, AlgorithmFacts>;

export function algorithmFacts(algorithm: SignatureAlgorithm): AlgorithmFacts {
  return FACTS[algorithm];
}

export function isSignatureAlgorithm(name: string): name is SignatureAlgorithm {
  return Object.hasOwn(FACTS, name);
}
