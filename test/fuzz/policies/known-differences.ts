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

export const KNOWN: readonly Known[] = [
  {
    what: "`json.filter` and `json.remove` with a path that is empty (the empty string or array) read outside the memory of the module; the decision is refused (`policy_failed`). OPA's own WASM host fails in the same way.",
    matches: (answer, text) => answer === OUT_OF_BOUNDS && /json\.(?:filter|remove)\(/.test(text),
    example: { rule: 'r0 := json.filter({"a": 1}, [""])', interpreter: '{}', whole: OUT_OF_BOUNDS },
  },
  {
    what: "`bits.lsh` and `bits.rsh` by 2^31 or more: the module counts with 32 bits, and either ends the evaluation (`policy_failed`) or shifts by the rest. OPA's own WASM host does the same; its interpreter runs out of memory on such a `bits.lsh`.",
    matches: (answer, text) =>
      /^!policy_failed: (?:n >= 0|opa_bits_shift)$/.test(answer) && /bits\.[lr]sh\(/.test(text),
    example: { rule: 'r0 := bits.rsh(3, 9007199254740991)', interpreter: '0', whole: '!policy_failed: n >= 0' },
  },
];

/** True where a difference is one of OPA's own. */
export function isKnown(answer: Line, text: string): boolean {
  return KNOWN.some((known) => known.matches(answer, text));
}
