import { err, ok, type Result } from '../kernel/result.ts';
import type { Step } from './json-edit.ts';

/** One rule of a `data.system.log.mask` answer, checked. */
export type MaskRule = {
  readonly part: 'input' | 'result' | 'nd_builtin_cache';
  /** Below the part; empty for the whole part. */
  readonly path: readonly Step[];
  /** As it is listed in `erased` or `masked`. */
  readonly pointer: string;
  readonly op: 'remove' | 'upsert';
  readonly value: unknown;
};

const MAX_RULES = 1_000;
const MAX_STEPS = 64;
const MAX_POINTER = 1_024;

/**
 * Reads the answer of `data.system.log.mask` as OPA does (OPA documentation, "Masking Sensitive Data"): an array (a Rego set is one by now) of
 * pointers to erase and of `{op: "remove"|"upsert", path, value}`. One unsound rule makes the whole answer unsound, as in OPA; the error says which.
 */
export function readMaskRules(answer: unknown): Result<readonly MaskRule[], string> {
  if (!Array.isArray(answer)) return err('the mask is not a set or an array');
  if (answer.length > MAX_RULES) return err(`the mask has more than ${MAX_RULES} rules`);
  const rules: MaskRule[] = [];
  for (const [index, raw] of answer.entries()) {
    const rule = readRule(raw);
    if (!rule.ok) return err(`mask rule ${index}: ${rule.error}`);
    rules.push(rule.value);
  }
  return ok(rules);
}

function readRule(raw: unknown): Result<MaskRule, string> {
  if (typeof raw === 'string') return makeRule(raw, 'remove', undefined);
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return err('neither a pointer nor an object');
  const { op, path, value } = raw as { op?: unknown; path?: unknown; value?: unknown };
  if (op !== 'remove' && op !== 'upsert') return err('op is neither remove nor upsert');
  if (typeof path !== 'string') return err('path is no string');
  return makeRule(path, op, value ?? null);
}

function makeRule(path: string, op: MaskRule['op'], value: unknown): Result<MaskRule, string> {
  if (!path.startsWith('/')) return err('the path does not begin with a slash');
  if (path.length > MAX_POINTER) return err('the path is too long');
  const [part, ...names] = path.slice(1).split('/');
  if (part !== 'input' && part !== 'result' && part !== 'nd_builtin_cache') {
    return err('only /input, /result and /nd_builtin_cache may be masked');
  }
  if (names.length > MAX_STEPS) return err('the path is too deep');
  const steps: Step[] = [];
  for (const name of names) {
    const found = readStep(name);
    if (found === undefined) return err('a percent sign is followed by no byte (RFC 3986 section 2.1)');
    steps.push(found);
  }
  const pointer = `/${[part, ...names.map(pathEscape)].join('/')}`;
  return ok({ part, path: steps, pointer, op, value });
}

/**
 * OPA looks for the member whose name is the step *with URL path escaping applied*, so it never finds `credit card`. A rule that finds nothing
 * leaks, so we also look for the step as it is written, without URL escapes, and without those of RFC 6901.
 */
function readStep(name: string): Step | undefined {
  const unescaped = pathUnescape(name);
  if (unescaped === undefined) return undefined;
  const pointer = name.replaceAll('~1', '/').replaceAll('~0', '~');
  return { names: [pathEscape(name), name, unescaped, pointer] };
}

/** Go's `url.PathEscape`: all but unreserved characters and `$&+:=@` become percent-escapes. */
function pathEscape(name: string): string {
  return encodeURIComponent(name.toWellFormed())
    .replaceAll(/%(24|26|2B|3A|3D|40)/g, (escape) => decodeURIComponent(escape))
    .replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Go's `url.PathUnescape`; undefined for a malformed escape. Bytes that are no UTF-8 leave the name as it is: no JSON member has them. */
function pathUnescape(name: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(name)) return undefined;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
