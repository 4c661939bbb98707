import { visit } from 'yaml';

import { parseBoundedYaml } from '../kernel/bounded-yaml.ts';
import { err, ok } from '../kernel/result.ts';
import { exactInteger } from './exact-json.ts';

import type { Document } from 'yaml';
import type { Result } from '../kernel/result.ts';
import type { ExactJson } from './exact-json.ts';

/** Longest YAML data file: its parser needs far more time and memory a byte than JSON's. */
const MAX_YAML = 4_194_304;

/**
 * Reads `data.yaml` into JSON values; a text says what is wrong. What JSON cannot say (NaN, infinities, keys that are no scalars) is refused. Whole numbers that neither
 * int64 nor uint64 holds are doubles, as Go has them: the hash that a signature covers tells no more of them.
 */
export function parseDataYaml(text: string): Result<ExactJson, string> {
  if (text.length > MAX_YAML) return err(`longer than ${MAX_YAML} characters; use JSON`);
  const parsed = parseBoundedYaml(text, { intAsBigInt: true });
  if (!parsed.ok) {
    const [fault] = parsed.error;
    return err(`line ${fault?.line ?? 1}: ${fault?.message ?? 'not YAML'}`);
  }
  const { document, locate } = parsed.value;
  if (document.directives?.yaml.explicit === true)
    return err('line 1: a %YAML directive, by which readers choose what values mean; leave it out');
  const odd = readTwoWays(document);
  if (odd !== undefined) return err(`line ${locate(odd.offset).line}: ${odd.what}`);
  try {
    return ok(exact(document.toJS({ maxAliasCount: 100 })));
  } catch (error) {
    return err(error instanceof Error ? error.message : 'not JSON');
  }
}

/** Numbers that YAML 1.1, which OPA's reader follows there, reads as others than YAML 1.2: octal by a leading zero, binary, signed hexadecimal, underscores. */
const OLD_NUMBER =
  /^(?:[-+]?0[0-7]+|[-+]0[xXoObB][0-9a-fA-F_]+|0[XOBb][0-9a-fA-F_]+|[-+]?(?:0[xo])?[.0-9][0-9a-fA-F.eE+-]*_[0-9a-fA-F_.eE+-]*)$/;

/** The first thing that OPA would read as another value. */
function readTwoWays(document: Document.Parsed): { readonly offset: number; readonly what: string } | undefined {
  let found: { readonly offset: number; readonly what: string } | undefined;
  visit(document, {
    Scalar: (place, node) => {
      const { source = '', type, range } = node;
      if (type !== 'PLAIN') return undefined;
      if (place === 'key' && source === '<<')
        found = { offset: range?.[0] ?? 0, what: 'a merge key (<<); write its keys out' };
      else if (OLD_NUMBER.test(source))
        found = {
          offset: range?.[0] ?? 0,
          what: `${source} is a number or another one to older readers; write a plain decimal, or quote it`,
        };
      return found === undefined ? undefined : visit.BREAK;
    },
  });
  return found;
}

function exact(value: unknown): ExactJson {
  if (typeof value === 'bigint') return goInteger(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`${value} is no JSON number`);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(exact);
  if (Object.getPrototypeOf(value) !== Object.prototype)
    throw new TypeError('a value of a kind that JSON does not have');
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, exact(inner)]));
}

const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

function goInteger(value: bigint): ExactJson {
  return value < INT64_MIN || value > UINT64_MAX ? exact(Number(value)) : exactInteger(value);
}
