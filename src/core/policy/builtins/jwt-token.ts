import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import type { Term } from '../term.ts';
import { chargeJson, chargeToken } from './crypto-cost.ts';
import { jwtPart, textOf } from './go-bytes.ts';
import { members, parseJson } from './json-term.ts';

/** The three parts of a JWT in compact form (RFC 7515 7.1), as they were sent. */
export type Token = { readonly header: string; readonly payload: string; readonly signature: string };

/** What of a header decides how a token is judged (RFC 7515 4.1); strings that are not there are empty. */
export type TokenHeader = { readonly alg: string; readonly kid: string; readonly cty: string; readonly sound: boolean };

/** Parameters that are understood; any other one that `crit` lists makes a token unsound. */
const UNDERSTOOD = ['alg', 'kid', 'typ', 'cty', 'crit'];

/** Takes a token apart at its points. */
export function readToken(text: string): Token {
  const [header, payload, signature, ...more] = text.split('.', 4);
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0)
    throw new BuiltinError('encoded JWT must have 3 sections');
  return { header, payload, signature };
}

/** The header of a token as an object; encrypted tokens (RFC 7516 9) are none of those that are understood. */
export function headerOf(token: Token, cost: BuiltinContext): Term {
  chargeToken(cost);
  const header = objectOf(textOf(jwtPart(token.header)), cost);
  if (members(header).has('enc')) throw new BuiltinError('JWT is a JWE object, which is not supported');
  return header;
}

/** JSON text that is an object. */
export function objectOf(text: string, cost: BuiltinContext): Term {
  chargeJson(cost, text);
  const term = parseJson(text);
  if (term.kind !== 'object') throw new BuiltinError('decoded JSON type was not an object');
  return term;
}

/** The parameters of a header. Those that have a type must be of it. */
export function readHeader(header: Term): TokenHeader {
  const fields = members(header);
  const text = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined) return '';
    if (value.kind !== 'string') throw new BuiltinError(`${name}: must be a string`);
    return value.value;
  };
  const [alg, kid, cty] = [text('alg'), text('kid'), text('cty')];
  text('typ');
  const critical = criticalOf(fields.get('crit'));
  const unknown = Array.from(fields.keys()).filter((name) => !UNDERSTOOD.includes(name));
  return { alg, kid, cty, sound: alg !== '' && !unknown.some((name) => critical.includes(name)) };
}

/** `crit` (RFC 7515 4.1.11): a list of names, read up to what is none, and not empty. */
function criticalOf(value: Term | undefined): string[] {
  if (value === undefined) return [];
  if (value.kind !== 'array') throw new BuiltinError('crit: must be a list');
  const end = value.items.findIndex(({ kind }) => kind !== 'string');
  const names = value.items
    .slice(0, end < 0 ? undefined : end)
    .flatMap((item) => (item.kind === 'string' ? [item.value] : []));
  if (names.length === 0) throw new BuiltinError('crit: must be a nonempty list');
  return names;
}
