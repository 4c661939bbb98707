import { DerReader, TAG } from '../../core/identity/der.ts';
import { readInteger, readOid } from '../../core/identity/der-values.ts';

/**
 * The most work that a passphrase may ask for: a key is opened on the thread that answers requests, and again whenever its file changes. As many
 * rounds of PBKDF2 take OpenSSL about a second; what tools write today is 2,048 to 1,000,000.
 */
export const MAX_ROUNDS = 5_000_000;

/** The same for scrypt, N times r times p: OpenSSL's own default is 131,072. */
const MAX_SCRYPT = 4_194_304;

const PBES2 = '1.2.840.113549.1.5.13';
const SCRYPT = '1.3.6.1.4.1.11591.4.11';

/**
 * Why the passphrase of an EncryptedPrivateKeyInfo (RFC 5958 3) is not even tried: deriving a key from it would take too long. undefined where it would
 * not, and where the form is none that is known, which OpenSSL then refuses.
 */
export function derivationProblem(der: Uint8Array): string | undefined {
  const reader = new DerReader(der);
  const algorithm = reader.enter(TAG.sequence, 'key').enter(TAG.sequence, 'algorithm');
  const scheme = readOid(algorithm, 'algorithm');
  const parameters = algorithm.enter(TAG.sequence, 'parameters');
  const cost = scheme === PBES2 ? costOfPbes2(parameters) : roundsAfterSalt(parameters);
  return reader.failure === undefined && cost > 1 ? tooCostly(cost) : undefined;
}

/** Says by how much. `cost`: parts of what is allowed. */
export function tooCostly(cost: number): string {
  const times = cost > 1_000 ? 'more than 1,000' : cost.toFixed(1);
  return `its passphrase asks for ${times} times the work that is done for one; write it again with fewer iterations`;
}

/** PBES2-params (RFC 8018 A.4): the key derivation function first, PBKDF2 (A.2) or scrypt (RFC 7914 7.1). */
function costOfPbes2(parameters: DerReader): number {
  const derivation = parameters.enter(TAG.sequence, 'key derivation');
  const name = readOid(derivation, 'key derivation');
  const inner = derivation.enter(TAG.sequence, 'key derivation parameters');
  if (name !== SCRYPT) return roundsAfterSalt(inner);
  inner.content(TAG.octetString, 'salt');
  return (number(inner) * number(inner) * number(inner)) / MAX_SCRYPT;
}

/** PBEParameter (RFC 8018 A.3), pkcs-12PbeParams (RFC 7292 C) and the beginning of PBKDF2-params are alike. */
function roundsAfterSalt(parameters: DerReader): number {
  parameters.content(TAG.octetString, 'salt');
  return number(parameters) / MAX_ROUNDS;
}

/** An INTEGER of any size that matters here. */
function number(reader: DerReader): number {
  return readInteger(reader, 'iterations', 128).reduce((value, octet) => value * 256 + octet, 0);
}
