import type { Evaluation } from '../model/policy.ts';
import { removeAt, setAt } from './json-edit.ts';
import { readMaskRules, type MaskRule } from './mask-rule.ts';

/** What of a record the masks may change. */
export type Maskable = { readonly input: unknown; readonly result: unknown; readonly ndBuiltinCache: unknown };

/** A failure of the policy's own log rules: goes into `error` of the record. */
export type MaskError = { readonly code: string; readonly message: string };

/** Outcome of masking by policy; with an error, all parts are gone (fail safe; OPA would write no event at all). */
export type PolicyMasked = Maskable & {
  readonly erased: readonly string[];
  readonly masked: readonly string[];
  readonly error: MaskError | undefined;
};

/** Where each part that a rule may name is kept here. */
const KEY_OF = {
  input: 'input',
  result: 'result',
  nd_builtin_cache: 'ndBuiltinCache',
} as const satisfies Record<MaskRule['part'], keyof Maskable>;
const PARTS = Object.entries(KEY_OF) as [MaskRule['part'], keyof Maskable][];

type LogRule = (event: unknown) => Evaluation;

/**
 * Asks `data.system.log.drop`. Dropped only for `true` (OPA: `ResultSet.Allowed`). Where the rule fails, the record is kept and says so: OPA
 * would lose it.
 */
export function askDrop(
  rule: LogRule,
  event: unknown,
): { readonly drop: boolean; readonly error: MaskError | undefined } {
  const answer = evaluate(rule, event);
  if (answer.kind === 'failed') return { drop: false, error: failure('log drop rule', answer) };
  return { drop: answer.kind === 'defined' && answer.value === true, error: undefined };
}

/** Asks `data.system.log.mask` over `event` and applies its rules, in their order, to `parts`. Undefined means nothing to mask. */
export function applyMask(rule: LogRule, event: unknown, parts: Maskable): PolicyMasked {
  const answer = evaluate(rule, event);
  switch (answer.kind) {
    case 'undefined':
      return { ...parts, erased: [], masked: [], error: undefined };
    case 'failed':
      return erasedAll(parts, failure('log mask rule', answer));
    case 'defined': {
      const rules = readMaskRules(answer.value);
      if (rules.ok) return applyRules(rules.value, parts);
      return erasedAll(parts, { code: 'policy_result_invalid', message: `log mask rule: ${rules.error}` });
    }
    default:
      return answer satisfies never;
  }
}

/** Takes every part out whole, because nothing says which of them is secret. */
export function erasedAll(parts: Maskable, error: MaskError): PolicyMasked {
  const erased = PARTS.filter(([, key]) => parts[key] !== undefined).map(([part]) => `/${part}`);
  return { input: undefined, result: undefined, ndBuiltinCache: undefined, erased, masked: [], error };
}

function applyRules(rules: readonly MaskRule[], parts: Maskable): PolicyMasked {
  const erased: string[] = [];
  const masked: string[] = [];
  const left: Record<keyof Maskable, unknown> = { ...parts };
  for (const rule of rules) {
    const key = KEY_OF[rule.part];
    const edited = applyRule(rule, left[key]);
    if (edited === undefined) continue;
    left[key] = edited.value;
    (rule.op === 'remove' ? erased : masked).push(rule.pointer);
  }
  return { ...left, erased, masked, error: undefined };
}

/** OPA: a part that is not there is not made; a path that leads nowhere changes and lists nothing; a whole part may be replaced or removed. */
function applyRule(rule: MaskRule, part: unknown): { readonly value: unknown } | undefined {
  if (part === undefined) return undefined;
  if (rule.op === 'upsert') return setAt(part, rule.path, rule.value);
  return rule.path.length === 0 ? { value: undefined } : removeAt(part, rule.path);
}

function evaluate(rule: LogRule, event: unknown): Evaluation | { readonly kind: 'failed'; readonly threw: string } {
  try {
    return rule(event);
  } catch (thrown) {
    return { kind: 'failed', threw: thrown instanceof Error ? thrown.message : 'threw' };
  }
}

function failure(
  what: string,
  failed: Extract<Evaluation, { kind: 'failed' }> | { readonly kind: 'failed'; readonly threw: string },
): MaskError {
  if ('threw' in failed) return { code: 'internal_error', message: `${what}: ${failed.threw}` };
  return { code: failed.fault.code, message: `${what}: ${failed.fault.detail}` };
}
