import { BuiltinError, wrongType } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { compareNumbers } from '../number-text.ts';
import type { Term } from '../term.ts';
import { bytesOf } from './go-bytes.ts';
import { members } from './json-term.ts';
import { verificationKeys } from './jwk.ts';
import type { NamedKey } from './jwk.ts';

/** What `io.jwt.decode_verify` demands of a token. Empty text demands nothing; `seconds` since the epoch as decimal text. */
export type TokenConstraints = {
  readonly keys: readonly NamedKey[];
  readonly alg: string;
  readonly iss: string;
  readonly aud: string;
  readonly seconds: string;
};

/** Exponents of six digits and more. */
const UNCOMPARED = /[eE][+-]?0*[1-9][0-9]{5,}$/;
const KNOWN = ['cert', 'secret', 'alg', 'iss', 'aud', 'time'];

/** Reads the constraints: exactly one kind of key, nothing unknown, and the time of the decision where none is given. */
export function readConstraints(term: Term | undefined, context: BuiltinContext): TokenConstraints {
  if (term?.kind !== 'object') throw wrongType(1, 'object', term);
  const fields = members(term);
  if (fields.size !== term.entries.length || Array.from(fields.keys()).some((name) => !KNOWN.includes(name)))
    throw new BuiltinError('unknown token validation constraint');
  const text = (name: string): string | undefined => {
    const value = fields.get(name);
    if (value !== undefined && value.kind !== 'string') throw new BuiltinError(`${name} constraint: must be a string`);
    return value?.value;
  };
  const [cert, secret, alg = '', iss = '', aud = ''] = [
    text('cert'),
    text('secret'),
    text('alg'),
    text('iss'),
    text('aud'),
  ];
  const seconds = secondsOf(fields.get('time') ?? { kind: 'number', text: context.nowNs() });
  const hasSecret = secret !== undefined && secret !== '';
  if (cert === undefined && !hasSecret) throw new BuiltinError('no key constraint');
  const keys = cert === undefined ? [] : verificationKeys(cert, context);
  if (cert !== undefined && hasSecret) throw new BuiltinError('duplicate key constraints');
  return { keys: hasSecret ? [secretKey(secret)] : keys, alg, iss, aud, seconds };
}

function secretKey(secret: string): NamedKey {
  return { alg: '', kid: '', key: { kind: 'secret', bytes: bytesOf(secret) } };
}

/** Nanoseconds go through a float64, as in OPA, where a time in the year 2026 is exact to 256 ns. */
function secondsOf(time: Term): string {
  if (time.kind !== 'number') throw new BuiltinError('token time constraint: must be a number');
  const value = Number(time.text);
  if (!Number.isFinite(value) || value < 0) throw new BuiltinError('token time constraint: out of range');
  return String(value / 1e9);
}

/** Claims that registered names demand something of (RFC 7519 4.1): `iss`, `aud`, `exp` and `nbf`. */
export function meetsConstraints(payload: Term, constraints: TokenConstraints): boolean {
  const claims = members(payload);
  if (constraints.iss !== '' && !isIssuedBy(claims.get('iss'), constraints.iss)) return false;
  if (!isFor(claims.get('aud'), constraints.aud)) return false;
  const exp = timeClaim(claims.get('exp'), 'exp');
  if (exp !== undefined && compareNumbers(constraints.seconds, exp) >= 0) return false;
  const nbf = timeClaim(claims.get('nbf'), 'nbf');
  return nbf === undefined || compareNumbers(constraints.seconds, nbf) >= 0;
}

function isIssuedBy(claim: Term | undefined, issuer: string): boolean {
  if (claim !== undefined && claim.kind !== 'string') throw new BuiltinError('iss is no string');
  return claim?.value === issuer;
}

/** A token for someone is refused where no one is named, and one for no one where someone is. */
function isFor(claim: Term | undefined, audience: string): boolean {
  if (claim === undefined) return audience === '';
  if (claim.kind === 'string') return claim.value === audience;
  return claim.kind === 'array' && claim.items.some((item) => item.kind === 'string' && item.value === audience);
}

/** A time so large or small that its digits are not compared is an error here, where OPA compares it: a token that is neither over nor not is refused. */
function timeClaim(claim: Term | undefined, name: string): string | undefined {
  if (claim !== undefined && (claim.kind !== 'number' || UNCOMPARED.test(claim.text)))
    throw new BuiltinError(`${name} value must be a number`);
  return claim?.text;
}
