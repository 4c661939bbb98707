import { createHash, createHmac } from 'node:crypto';

import { stringArg } from '../builtin.ts';
import type { Builtin } from '../builtin.ts';
import { bool, str } from '../term.ts';

function digest(algorithm: string): Builtin {
  return { arity: 1, call: (args) => str(createHash(algorithm).update(stringArg(args, 0), 'utf8').digest('hex')) };
}

/** Message first, key second. */
function hmac(algorithm: string): Builtin {
  return {
    arity: 2,
    call: (args) => str(createHmac(algorithm, stringArg(args, 1)).update(stringArg(args, 0), 'utf8').digest('hex')),
  };
}

/** In a time that depends on the lengths only. */
function equal(left: string, right: string): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let at = 0; at < left.length; at += 1) difference |= left.charCodeAt(at) ^ right.charCodeAt(at);
  return difference === 0;
}

/** Digests, as lower-case hexadecimal. */
export const HASH_BUILTINS: Readonly<Record<string, Builtin>> = {
  'crypto.md5': digest('md5'),
  'crypto.sha1': digest('sha1'),
  'crypto.sha256': digest('sha256'),
  'crypto.hmac.md5': hmac('md5'),
  'crypto.hmac.sha1': hmac('sha1'),
  'crypto.hmac.sha256': hmac('sha256'),
  'crypto.hmac.sha512': hmac('sha512'),
  'crypto.hmac.equal': { arity: 2, call: (args) => bool(equal(stringArg(args, 0), stringArg(args, 1))) },
};
