import { CONFLICT, UNDEFINED } from './answers.ts';
import type { Line } from './answers.ts';

/** A difference between OPA's interpreter and a compiled policy that is OPA's own, with the smallest policy that shows it. */
export type Known = {
  /** For the documentation. */
  readonly what: string;
  /** True where an answer of our host, to a policy of this text, may be this difference. */
  readonly matches: (answer: Line, text: string) => boolean;
  /** One rule `r0`, and what each answers. */
  readonly example: { readonly rule: string; readonly interpreter: Line; readonly whole: Line };
};

const OUT_OF_BOUNDS = '!policy_failed: RuntimeError: memory access out of bounds';
const ZERO_BY_ZERO = '!policy_failed: opa_arith_divide: invalid number';

const NEVER_GENERATED = (): boolean => false;

export const KNOWN: readonly Known[] = [
  {
    what: '`json.filter` and `json.remove` with an empty path read outside the memory of the module; the decision is refused',
    matches: (answer, text) => answer === OUT_OF_BOUNDS && /json\.(?:filter|remove)\(/.test(text),
    example: { rule: 'r0 := json.filter({"a": 1}, [""])', interpreter: '{}', whole: OUT_OF_BOUNDS },
  },
  {
    what: "`json.is_valid` of the text `true` or `false` frees memory in a module that nobody allocated (`opa_json_is_valid` in OPA's `wasm/src/encoding.c`), which ends the evaluation; the decision is refused",
    matches: (answer, text) => answer.startsWith('!policy_failed: ') && /json\.is_valid\(/.test(text),
    example: { rule: 'r0 := json.is_valid("true")', interpreter: 'true', whole: OUT_OF_BOUNDS },
  },
  {
    what: '`bits.lsh` and `bits.rsh` by 2^31 or more end the evaluation of a module, or shift by the rest; the interpreter runs out of memory on such a `bits.lsh`',
    matches: (answer, text) =>
      /^!policy_failed: (?:n >= 0|opa_bits_shift)$/.test(answer) && /bits\.[lr]sh\(/.test(text),
    example: { rule: 'r0 := bits.rsh(3, 9007199254740991)', interpreter: '0', whole: '!policy_failed: n >= 0' },
  },
  {
    what: '`0 / 0` ends the evaluation of a module; in the interpreter it is undefined, as is any other division by zero in both',
    matches: (answer) => answer === ZERO_BY_ZERO,
    example: { rule: 'r0 if not (input.a - 1) / 0', interpreter: 'true', whole: ZERO_BY_ZERO },
  },
  {
    what: 'an object comprehension with two values for a key, where something else in the body is undefined: undefined in the interpreter, a conflict in a module, which evaluates from left to right',
    matches: (answer, text) => answer === CONFLICT && /\{.*: .* \| /.test(text),
    example: { rule: 'r0 := [{1: v | some v in [1, 2]}, input.zzz]', interpreter: UNDEFINED, whole: CONFLICT },
  },
  {
    what: '`json.unmarshal` and `json.is_valid` in a module take text that is no JSON; the interpreter fails, or answers false',
    matches: NEVER_GENERATED,
    example: { rule: 'r0 := json.is_valid("1 garbage")', interpreter: 'false', whole: 'true' },
  },
  {
    what: '`base64.decode`, `base64url.decode` and `base64.is_valid` in a module take text that is no base64; the interpreter fails, or answers false',
    matches: NEVER_GENERATED,
    example: { rule: 'r0 := base64.is_valid("1.5")', interpreter: 'false', whole: 'true' },
  },
  {
    what: 'decimal fractions: the interpreter calculates in binary with 64 bits, a module in decimal',
    matches: NEVER_GENERATED,
    example: { rule: 'r0 := 1.1 - 1 == 0.1', interpreter: 'false', whole: 'true' },
  },
  {
    what: '`to_number` of text that is nearly a number: undefined in the interpreter, while a module makes a number of it that is none',
    matches: NEVER_GENERATED,
    example: { rule: 'r0 if to_number("1e")', interpreter: 'undefined', whole: 'true' },
  },
];

/** True where a difference is one of OPA's own. */
export function isKnown(answer: Line, text: string, known: readonly Known[] = KNOWN): boolean {
  return known.some((one) => one.matches(answer, text));
}
