import { BuiltinError, stringArg } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { arr, bool, str } from '../term.ts';
import type { Term } from '../term.ts';
import { base64Url, bytesOf, jwtPart, textOf } from './go-bytes.ts';
import { goJson } from './go-json.ts';
import { trimmed } from './go-trim.ts';
import { jsonTerm, members, parseJson } from './json-term.ts';
import { readJwks, verificationKeys } from './jwk.ts';
import type { NamedKey } from './jwk.ts';
import { isVerified, methodOf, signed } from './jws.ts';
import type { JwsMethod, Strictness } from './jws.ts';
import { meetsConstraints, readConstraints } from './jwt-constraints.ts';
import { headerOf, objectOf, readHeader, readToken } from './jwt-token.ts';
import type { Token, TokenHeader } from './jwt-token.ts';

const EMPTY: Term = { kind: 'object', entries: [] };

/** `io.jwt.decode`: header, payload and signature, which is not verified. A token within a token is decoded instead of it. */
function decode(args: readonly Term[], context: BuiltinContext): Term {
  let token = readToken(stringArg(args, 0));
  for (;;) {
    const header = headerOf(token, context);
    const payload = textOf(jwtPart(token.payload));
    const cty = members(header).get('cty');
    if (cty !== undefined && cty.kind !== 'string') throw new BuiltinError('cty: must be a string');
    if (cty?.value !== 'JWT') return arr([header, objectOf(payload, context), str(jwtPart(token.signature).toHex())]);
    token = readToken(trimmed(payload, '"\''));
  }
}

/** `io.jwt.verify_*` with an asymmetric method: by the key of that name where the token names one, else by any key for that algorithm. */
function verifyWith(method: JwsMethod): Builtin {
  return {
    arity: 2,
    call: (args, context) => {
      const token = readToken(stringArg(args, 0));
      const keys = verificationKeys(stringArg(args, 1), context);
      const signature = jwtPart(token.signature);
      const header = readHeader(headerOf(token, context));
      return bool(isSignedByAny({ token, header, signature, keys, method, strictness: 'lenient' }, context));
    },
  };
}

/** `io.jwt.verify_hs*`: the header is not looked at. */
function verifyHmac(method: JwsMethod): Builtin {
  return {
    arity: 2,
    call: (args, context) => {
      const token = readToken(stringArg(args, 0));
      const secret = { kind: 'secret', bytes: bytesOf(stringArg(args, 1)) } as const;
      return bool(isVerified(method, secret, signedPart(token), jwtPart(token.signature), 'lenient', context));
    },
  };
}

type Question = {
  readonly token: Token;
  readonly header: TokenHeader;
  readonly signature: Uint8Array;
  readonly keys: readonly NamedKey[];
  readonly method: JwsMethod;
  readonly strictness: Strictness;
};

function isSignedByAny(
  { token, header, signature, keys, method, strictness }: Question,
  context: BuiltinContext,
): boolean {
  const data = signedPart(token);
  const verifies = ({ key }: NamedKey): boolean => {
    try {
      return isVerified(method, key, data, signature, strictness, context);
    } catch (problem) {
      // A key that cannot be used has signed nothing; the others are still to be asked.
      if (problem instanceof BuiltinError) return false;
      throw problem;
    }
  };
  const named = header.kid === '' ? undefined : keys.find(({ kid }) => kid === header.kid);
  if (named !== undefined) return verifies(named);
  return keys.some((key) => (key.alg === '' || key.alg === header.alg) && verifies(key));
}

function signedPart({ header, payload }: Token): Uint8Array {
  return bytesOf(`${header}.${payload}`);
}

/** `io.jwt.decode_verify`: `[true, header, payload]` where signature and constraints hold, `[false, {}, {}]` where they do not. */
function decodeVerify(args: readonly Term[], context: BuiltinContext): Term {
  const refused = arr([bool(false), EMPTY, EMPTY]);
  const constraints = readConstraints(args[1], context);
  let text = stringArg(args, 0);
  for (;;) {
    const token = readToken(text);
    const shown = headerOf(token, context);
    const header = readHeader(shown);
    if (!header.sound || (constraints.alg !== '' && constraints.alg !== header.alg)) return refused;
    const signature = jwtPart(token.signature);
    // `Ed25519` (RFC 9864) is a newer name of the same method, which OPA takes here and nowhere else.
    const method = methodOf(header.alg === 'Ed25519' ? 'EdDSA' : header.alg);
    if (method === undefined) return refused;
    const question = { token, header, signature, keys: constraints.keys, method, strictness: 'rfc' } as const;
    if (!isSignedByAny(question, context)) return refused;
    const payload = textOf(jwtPart(token.payload));
    if (header.cty.toLowerCase() === 'jwt') {
      text = payload;
      continue;
    }
    const claims = objectOf(payload, context);
    return meetsConstraints(claims, constraints) ? arr([bool(true), shown, claims]) : refused;
  }
}

/** Signs header and payload as they are written; a token of type JWT, or of none, has a payload of JSON. */
function encodeSign(header: string, payload: string, jwk: string, context: BuiltinContext): Term {
  const [key] = readJwks(jwk, context);
  if (key === undefined) throw new BuiltinError('no keys found in JWK set');
  const parameters = members(parseJson(header));
  const alg = parameters.get('alg');
  const method = alg?.kind === 'string' ? methodOf(alg.value) : undefined;
  if (method === undefined) throw new BuiltinError("missing, invalid or unknown 'alg' header");
  const typ = parameters.get('typ');
  if (typ?.kind !== 'string' || typ.value === 'JWT') parseJson(payload);
  const data = `${base64Url(bytesOf(header))}.${base64Url(bytesOf(payload))}`;
  return str(`${data}.${base64Url(signed(method, key.key, bytesOf(data), context))}`);
}

function jsonArg(args: readonly Term[], index: number): string {
  const term = args[index];
  if (term?.kind !== 'object') throw new BuiltinError(`operand ${index + 1} must be object`);
  return goJson(jsonTerm(term));
}

function verifiers(): Record<string, Builtin> {
  const names = ['rs', 'ps', 'es', 'hs'].flatMap((family) => ['256', '384', '512'].map((size) => family + size));
  return Object.fromEntries(
    [...names, 'eddsa'].flatMap((name) => {
      const method = methodOf(name === 'eddsa' ? 'EdDSA' : name.toUpperCase());
      if (method === undefined) return [];
      return [[`io.jwt.verify_${name}`, method.family === 'hmac' ? verifyHmac(method) : verifyWith(method)]];
    }),
  );
}

/** JSON Web Tokens (RFC 7515, RFC 7519), as OPA has them. */
export const JWT_BUILTINS: Readonly<Record<string, Builtin>> = {
  ...verifiers(),
  'io.jwt.decode': { arity: 1, call: decode },
  'io.jwt.decode_verify': { arity: 2, nondeterministic: true, confidential: 'arguments', call: decodeVerify },
  'io.jwt.encode_sign': {
    arity: 3,
    nondeterministic: true,
    confidential: 'call',
    call: (args, context) => encodeSign(jsonArg(args, 0), jsonArg(args, 1), jsonArg(args, 2), context),
  },
  'io.jwt.encode_sign_raw': {
    arity: 3,
    nondeterministic: true,
    confidential: 'call',
    call: (args, context) => encodeSign(stringArg(args, 0), stringArg(args, 1), stringArg(args, 2), context),
  },
};
