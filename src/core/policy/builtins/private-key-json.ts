import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { arr, num, str } from '../term.ts';
import type { Term } from '../term.ts';
import { base64Bytes, textOf } from './go-bytes.ts';
import { allPem } from './pem.ts';
import { readPkcs1, readPkcs8, readSec1 } from './private-key.ts';
import type { PrivateKey } from './private-key.ts';
import { bytesTerm, fields } from './x509-json.ts';

/** Every private key of PEM text, or of base64 of it; blocks of other types are read over, and one that is malformed spoils all. */
export function readPrivateKeys(text: string, cost: BuiltinContext): PrivateKey[] {
  return Array.from(allPem(decodedOrSame(text)), ({ type, bytes }) => {
    if (type === 'RSA PRIVATE KEY') return [readPkcs1(bytes, cost)];
    if (type === 'PRIVATE KEY') return [readPkcs8(bytes, cost)];
    return type === 'EC PRIVATE KEY' ? [readSec1(bytes, cost)] : [];
  }).flat();
}

function decodedOrSame(text: string): string {
  try {
    return textOf(base64Bytes(text));
  } catch (problem) {
    if (problem instanceof BuiltinError) return text;
    throw problem;
  }
}

/** A private key as the fields of Go's type; keys of Curve25519 are bytes, or nothing to be seen. */
export function privateKeyTerm(key: PrivateKey): Term {
  switch (key.kind) {
    case 'rsa': {
      const [dp, dq, qi] = key.crt;
      const precomputed = fields({ Dp: num(dp), Dq: num(dq), Qinv: num(qi), CRTValues: arr([]) });
      const primes = arr([num(key.p), num(key.q)]);
      return fields({ N: num(key.n), E: num(key.e), D: num(key.d), Primes: primes, Precomputed: precomputed });
    }
    case 'ec':
      return fields({ Curve: fields({}), X: num(key.x), Y: num(key.y), D: num(key.d) });
    case 'ed25519':
      return bytesTerm(Uint8Array.from([...key.seed, ...key.x]));
    case 'x25519':
      return fields({});
    default:
      return key satisfies never;
  }
}

/** A JWK as a Rego object. */
export function jwkTerm(jwk: Readonly<Record<string, string>>): Term {
  return fields(Object.fromEntries(Object.entries(jwk).map(([name, value]) => [name, str(value)])));
}
