import { parseBoundedYaml } from '../kernel/bounded-yaml.ts';
import { err, ok } from '../kernel/result.ts';
import { exactInteger } from './exact-json.ts';

import type { Result } from '../kernel/result.ts';
import type { ExactJson } from './exact-json.ts';

/** Longest YAML data file: its parser needs far more time and memory a byte than JSON's. */
const MAX_YAML = 4_194_304;

/** Reads `data.yaml` into JSON values; a text says what is wrong. What JSON cannot say (NaN, infinities, keys that are no scalars) is refused. */
export function parseDataYaml(text: string): Result<ExactJson, string> {
  if (text.length > MAX_YAML) return err(`longer than ${MAX_YAML} characters; use JSON`);
  const parsed = parseBoundedYaml(text, { intAsBigInt: true });
  if (!parsed.ok) {
    const [fault] = parsed.error;
    return err(`line ${fault?.line ?? 1}: ${fault?.message ?? 'not YAML'}`);
  }
  try {
    return ok(exact(parsed.value.document.toJS({ maxAliasCount: 100 })));
  } catch (error) {
    return err(error instanceof Error ? error.message : 'not JSON');
  }
}

function exact(value: unknown): ExactJson {
  if (typeof value === 'bigint') return exactInteger(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`${value} is no JSON number`);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(exact);
  if (Object.getPrototypeOf(value) !== Object.prototype)
    throw new TypeError('a value of a kind that JSON does not have');
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, exact(inner)]));
}
