import { createHash } from 'node:crypto';

import type { Builtin } from './builtin.ts';
import { goJson } from './builtins/go-json.ts';
import { jsonTerm } from './builtins/json-term.ts';
import { arr } from './term.ts';
import type { Term } from './term.ts';

/**
 * Answers of nondeterministic built-ins within one decision: name -> arguments, a JSON array as text -> answer. The shape of `nd_builtin_cache` in OPA's
 * decision log, so what a record holds can be given to a later evaluation, which then sees the same time, the same random numbers and the same tokens.
 */
export type NondeterministicAnswers = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The answers of one decision. What was recorded before is answered as it was; what was not is asked, once for the same arguments. */
export class AnswerBook {
  readonly #recorded: NondeterministicAnswers;
  readonly #texts = new Map<string, string>();
  readonly #answers: Record<string, Record<string, unknown>> = {};

  constructor(recorded: NondeterministicAnswers = {}) {
    this.#recorded = recorded;
  }

  /** All answers that were given, recorded ones included. Numbers beyond 2^53 lose digits, as everywhere in JavaScript's JSON. */
  get answers(): NondeterministicAnswers {
    return this.#answers;
  }

  /**
   * The answer as Rego text; `ask` is called where there is none yet, and what it throws is not remembered. Confidential arguments are a digest in the record,
   * where OPA writes keys and tokens out; a confidential call is not in it, so a replay asks again.
   */
  answer(name: string, args: readonly Term[], ask: () => string, confidential?: Builtin['confidential']): string {
    const shown = goJson(jsonTerm(arr(args)));
    const key = confidential === undefined ? shown : digestOf(shown);
    const place = `${name} ${key}`;
    const known = this.#texts.get(place);
    if (known !== undefined) return known;
    const text = recordedText(this.#recorded, name, key) ?? ask();
    this.#texts.set(place, text);
    if (confidential !== 'call') (this.#answers[name] ??= {})[key] = JSON.parse(text);
    return text;
  }
}

/** In the shape of arguments, a JSON array. */
function digestOf(text: string): string {
  return `["sha256:${createHash('sha256').update(text).digest('hex')}"]`;
}

/** The `time.now_ns` of a recorded decision as decimal text; undefined where it has none. */
export function recordedTime(recorded: NondeterministicAnswers | undefined): string | undefined {
  const text = recorded && recordedText(recorded, 'time.now_ns', '[]');
  return text !== undefined && /^[0-9]{1,19}$/.test(text) ? text : undefined;
}

function recordedText(recorded: NondeterministicAnswers, name: string, key: string): string | undefined {
  const answers = Object.hasOwn(recorded, name) ? recorded[name] : undefined;
  if (typeof answers !== 'object' || answers === null || !Object.hasOwn(answers, key)) return undefined;
  return JSON.stringify(answers[key]);
}
