/** An RSA private key with two primes. */
export type RsaPrivate = {
  readonly n: bigint;
  readonly e: bigint;
  readonly d: bigint;
  readonly p: bigint;
  readonly q: bigint;
};

/** `d mod (p-1)`, `d mod (q-1)` and the inverse of `q` modulo `p` (RFC 8017 3.2). */
export type RsaCrt = readonly [bigint, bigint, bigint];

/**
 * The parts for the Chinese remainder where the primes make the modulus and the exponents undo each other (as Go checks keys; that primes are prime it does
 * not); undefined where they do not.
 */
export function crtOf({ n, e, d, p, q }: RsaPrivate): RsaCrt | undefined {
  if (p <= 1n || q <= 1n || p === q || p * q !== n) return undefined;
  if (![p - 1n, q - 1n].every((order) => (e * d) % order === 1n % order)) return undefined;
  const qi = inverse(q % p, p);
  return (q * qi) % p === 1n ? [d % (p - 1n), d % (q - 1n), qi] : undefined;
}

/** The inverse modulo a number, by the extended Euclidean algorithm; what has none gives a wrong one. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [rest, next] = [modulus, value];
  let [have, want] = [0n, 1n];
  while (next > 0n) {
    const quotient = rest / next;
    [rest, next] = [next, rest - quotient * next];
    [have, want] = [want, have - quotient * want];
  }
  return have < 0n ? have + modulus : have;
}
