import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import { isToken, shown } from './characters.ts';
import { FIELDS } from './field-table.ts';
import { trimOws } from './fields.ts';
import type { Fields } from './fields.ts';

/** `upgrade`: the peer asked for it (RFC 9110 section 7.8). */
type Options = { readonly upgrade: boolean };

const NO_UPGRADE: Options = Object.freeze({ upgrade: false });
const UPGRADE: Options = Object.freeze({ upgrade: true });

/** Values nearly every connection has; answered without splitting. */
const USUAL: ReadonlyMap<string, Options> = new Map([
  ['keep-alive', NO_UPGRADE],
  ['Keep-Alive', NO_UPGRADE],
  ['close', NO_UPGRADE],
  ['upgrade', UPGRADE],
  ['Upgrade', UPGRADE],
]);

/** More options than this serve no purpose but ours to be busy. */
const MAX_OPTIONS = 16;

/**
 * Reads `Connection` (RFC 9110 section 7.6.1) and removes from `fields.passed` what it names.
 *
 * A peer may name fields about the connection, which are dropped anyway, and fields unknown to us, which the RFC obliges us to remove: then
 * neither policy nor agent sees them, so both still read the same request. It may not name a field of the table that is end-to-end
 * (`host`, `content-length`, `authorization`, …) or one that only we may set: RFC 9110 calls that never appropriate, and it is how
 * one hop makes the next one drop what a decision rests on. Fault: `header_invalid`.
 */
export function applyConnectionOptions(fields: Fields): Options | Fault {
  if (fields.connection === undefined) return NO_UPGRADE;
  return USUAL.get(fields.connection) ?? applyUnusual(fields, fields.connection);
}

function applyUnusual(fields: Fields, value: string): Options | Fault {
  const options = value.split(',', MAX_OPTIONS + 1);
  if (options.length > MAX_OPTIONS) return fault('header_invalid', `more than ${MAX_OPTIONS} connection options`);
  const named = new Set<string>();
  for (const each of options) {
    const option = trimOws(each).toLowerCase();
    // RFC 9110 5.6.1.2: empty list members are ignored.
    if (option === '') continue;
    if (!isToken(option)) return fault('header_invalid', `the connection option ${shown(option)} is no token`);
    if (FIELDS.get(option)?.hopByHop === false) {
      return fault('header_invalid', `connection names ${option}, which is not about the connection (RFC 9110 7.6.1)`);
    }
    named.add(option);
  }
  removeNamed(fields, named);
  return named.has('upgrade') ? UPGRADE : NO_UPGRADE;
}

function removeNamed(fields: Fields, named: ReadonlySet<string>): void {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.passed.length; i += 2) {
    const name = fields.passed[i] as string;
    if (!named.has(name)) kept.push(name, fields.passed[i + 1] as string);
  }
  fields.passed = kept;
}
