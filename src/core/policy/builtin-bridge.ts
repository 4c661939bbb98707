import type { Clock, Random } from '../kernel/clock.ts';
import { EvaluationHalt, PolicyAbort } from './abort.ts';
import { AnswerBook, recordedTime } from './answer-book.ts';
import type { NondeterministicAnswers } from './answer-book.ts';
import { BuiltinError, MAX_TEXT } from './builtin.ts';
import type { Builtin, BuiltinContext } from './builtin.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { PolicyExports } from './policy-abi.ts';
import { parseTerm, termText } from './term-text.ts';
import type { Term } from './term.ts';

/** One call of a host built-in, for the second opinion: name and the JSON text of the result, undefined where there was none. */
export type BuiltinCall = { readonly name: string; readonly result: string | undefined };

/** What built-ins may know of the world. */
export type BuiltinWorld = { readonly clock: Clock; readonly random: Random };

/** Steps of a call without arguments: 200 M steps are about 5 ms, a call about 1 us. */
const CALL_STEPS = 40_000;
/** Steps for each character of argument or result text, which are written, read and copied. */
const CHARACTER_STEPS = 400;
const MAX_NOTES = 8;
const MAX_ABORT_TEXT = 4096;

/**
 * The functions that a policy module imports: `opa_abort`, and the dispatch of built-ins that OPA does not compile into the module.
 * A built-in that fails gives undefined, as in OPA's own host (address 0; OPA internal/wasm/sdk, `dispatch`); a bug in one ends the evaluation.
 */
export class BuiltinBridge implements BuiltinContext {
  readonly #guest: GuestMemory;
  readonly #world: BuiltinWorld;
  #exports: PolicyExports | undefined;
  #table: readonly ({ readonly name: string; readonly builtin: Builtin } | undefined)[] = [];
  #nowNs: string | undefined;
  #bytes: Map<string, Uint8Array> | undefined;
  #notes: string[] = [];
  #book: AnswerBook | undefined;
  #recorded: NondeterministicAnswers | undefined;
  #calls: BuiltinCall[] | undefined;

  constructor(guest: GuestMemory, world: BuiltinWorld) {
    this.#guest = guest;
    this.#world = world;
  }

  /** What the module is instantiated with. */
  get imports(): WebAssembly.Imports {
    return {
      env: {
        memory: this.#guest.memory,
        opa_abort: (address: number) => {
          throw new PolicyAbort(this.#guest.text(address, MAX_ABORT_TEXT) ?? 'unreadable abort message');
        },
        opa_builtin0: (id: number) => this.#call(id, []),
        opa_builtin1: (id: number, _: number, a: number) => this.#call(id, [a]),
        opa_builtin2: (id: number, _: number, a: number, b: number) => this.#call(id, [a, b]),
        opa_builtin3: (id: number, _: number, a: number, b: number, c: number) => this.#call(id, [a, b, c]),
        opa_builtin4: (id: number, _: number, a: number, b: number, c: number, d: number) =>
          this.#call(id, [a, b, c, d]),
      },
    };
  }

  /** Joins the instance; `table` is indexed by the ids that its `builtins()` gave. */
  attach(
    exports: PolicyExports,
    table: readonly ({ readonly name: string; readonly builtin: Builtin } | undefined)[],
  ): void {
    this.#exports = exports;
    this.#table = table;
  }

  /** Begins a decision. With `trace`, calls are kept for `calls`; with `recorded`, what another decision was answered is answered again. */
  begin(trace: boolean, recorded?: NondeterministicAnswers): void {
    this.#nowNs = undefined;
    this.#bytes = undefined;
    if (this.#notes.length > 0) this.#notes = [];
    this.#book = undefined;
    this.#recorded = recorded;
    this.#calls = trace ? [] : undefined;
  }

  /** Errors of built-ins in this decision, which made an expression undefined; at most eight. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  get answers(): NondeterministicAnswers | undefined {
    return this.#book?.answers;
  }

  get calls(): readonly BuiltinCall[] {
    return this.#calls ?? [];
  }

  /** Steps left of the budget. */
  get left(): number {
    return Number(this.#attached().budget.value);
  }

  nowNs(): string {
    this.#nowNs ??= recordedTime(this.#recorded) ?? `${Math.trunc(this.#world.clock.wallMs())}000000`;
    return this.#nowNs;
  }

  random(label: string, length: number): Uint8Array {
    this.#bytes ??= new Map();
    const key = `${length} ${label}`;
    const known = this.#bytes.get(key) ?? this.#world.random(length).slice();
    this.#bytes.set(key, known);
    return known;
  }

  charge(steps: number): void {
    const { budget } = this.#attached();
    const left = Number(budget.value) - Math.ceil(steps);
    budget.value = Math.max(left, -1);
    if (left < 0) throw new EvaluationHalt('policy_budget_exceeded', 'the step budget is spent');
  }

  #attached(): PolicyExports {
    if (this.#exports === undefined) throw new PolicyAbort('a built-in was called before the module was ready');
    return this.#exports;
  }

  #call(id: number, addresses: readonly number[]): number {
    const entry = this.#table[id];
    if (entry === undefined) throw new PolicyAbort(`unknown built-in ${id}`);
    this.charge(CALL_STEPS);
    const text = this.#evaluate(entry.name, entry.builtin, addresses);
    this.#calls?.push({ name: entry.name, result: text });
    return text === undefined ? 0 : this.#put(text);
  }

  #evaluate(name: string, builtin: Builtin, addresses: readonly number[]): string | undefined {
    const texts = addresses.map((address) => this.#get(address));
    try {
      if (texts.length !== builtin.arity) throw new BuiltinError('wrong number of operands');
      const args = texts.map(parseTerm);
      const answer = (): string => termText(builtin.call(args, this));
      return builtin.nondeterministic === true ? this.#pinned(name, builtin, args, answer) : answer();
    } catch (problem) {
      if (!(problem instanceof BuiltinError)) throw problem;
      if (this.#notes.length < MAX_NOTES) this.#notes.push(`${name}: ${problem.message}`);
      return undefined;
    }
  }

  /** One answer for the same arguments within one decision, as OPA gives when it keeps an `nd_builtin_cache`. */
  #pinned(name: string, { confidential }: Builtin, args: readonly Term[], answer: () => string): string {
    this.#book ??= new AnswerBook(this.#recorded);
    return this.#book.answer(name, args, answer, confidential);
  }

  #get(address: number): string {
    const text = this.#guest.text(this.#attached().valueDump(address), MAX_TEXT);
    if (text === undefined)
      throw new EvaluationHalt('policy_memory_exceeded', 'an argument of a built-in is too large');
    this.charge(text.length * CHARACTER_STEPS);
    return text;
  }

  #put(text: string): number {
    this.charge(text.length * CHARACTER_STEPS);
    if (text.length > MAX_TEXT)
      throw new EvaluationHalt('policy_memory_exceeded', 'a result of a built-in is too large');
    const exports = this.#attached();
    const room = text.length * 3 + 1;
    const at = exports.malloc(room) >>> 0;
    const length = this.#guest.write(text, at, room);
    if (length === undefined) throw new PolicyAbort('no room for the result of a built-in');
    return exports.valueParse(at, length);
  }
}
