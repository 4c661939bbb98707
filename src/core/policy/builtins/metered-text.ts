import type { BuiltinContext } from '../builtin.ts';

/** What of a compiled program decides how it is run, and what for. */
export type Engine = {
  readonly prefix: unknown;
  readonly onepass: unknown;
  numberOfInstructions(): number;
};

/** What the engine reads at the end of text: rune -1 of width 0. */
const END = -8;
/** The engine's own bounds for its bit-state search, beyond which it runs all threads side by side. */
const MAX_BITS = 262_144;
const MAX_BITS_PROGRAM = 500;
/** Steps of reading one character in the bit-state search or a one-pass program. */
const READ_STEPS = 1_000;
/** Steps of one character and one instruction, where threads run side by side. */
const THREAD_STEPS = 300;
/** Steps of beginning a search, and of clearing one bit of its state. */
const SEARCH_STEPS = 10_000;
const BIT_STEPS = 0.5;
const READS_AT_ONCE = 64;
/** What `\b`, `^` and `$` ask about a place (Go regexp/syntax, EmptyOp). */
const BEGIN_LINE = 1;
const END_LINE = 2;
const BEGIN_TEXT = 4;
const END_TEXT = 8;
const WORD_BOUNDARY = 16;
const NO_WORD_BOUNDARY = 32;

/**
 * A text as the regular expression engine reads it, one character at a time; every reading is paid for, in lots of 64. The engine's effort is readings times
 * a bound of its own, whatever pattern and text are, so a search that would take too long ends in the middle.
 */
export class MeteredText {
  readonly #text: string;
  readonly #context: BuiltinContext;
  readonly #readSteps: number;
  readonly #searchSteps: number;
  #reads = 0;

  constructor(text: string, engine: Engine, context: BuiltinContext) {
    this.#text = text;
    this.#context = context;
    const size = engine.numberOfInstructions();
    const bits = size * (text.length + 1);
    const bitState = size <= MAX_BITS_PROGRAM && text.length <= Math.floor(MAX_BITS / size);
    this.#readSteps = engine.onepass !== null || bitState ? READ_STEPS : Math.max(READ_STEPS, size * THREAD_STEPS);
    this.#searchSteps = SEARCH_STEPS + (bitState ? bits * BIT_STEPS : 0);
  }

  /** Pays for the beginning of a search. */
  begin(): void {
    this.#context.charge(this.#searchSteps);
  }

  /** UTF-16 units of the character at a place; 1 at the end. */
  width(at: number): number {
    return Math.max(this.step(at) & 7, 1);
  }

  /** The character at a place and its width, as the engine packs them. */
  step(at: number): number {
    this.#read();
    if (at >= this.#text.length) return END;
    const code = this.#text.codePointAt(at) ?? 0;
    return (code << 3) | (code > 0xffff ? 2 : 1);
  }

  context(at: number): number {
    this.#read();
    const before = at > 0 && at <= this.#text.length ? this.#text.charCodeAt(at - 1) : -1;
    const after = at < this.#text.length ? this.#text.charCodeAt(at) : -1;
    const line = (before === 10 || before < 0 ? BEGIN_LINE : 0) | (after === 10 || after < 0 ? END_LINE : 0);
    const text = (before < 0 ? BEGIN_TEXT : 0) | (after < 0 ? END_TEXT : 0);
    return line | text | (isWord(before) === isWord(after) ? NO_WORD_BOUNDARY : WORD_BOUNDARY);
  }

  /** How far it is to the literal that every match begins with. */
  index(engine: Engine, at: number): number {
    const found = this.#text.indexOf(String(engine.prefix), at);
    this.#context.charge(((found < 0 ? this.#text.length : found) - at + 1) * 40);
    return found < 0 ? -1 : found - at;
  }

  prefixLength(engine: Engine): number {
    return String(engine.prefix).length;
  }

  endPos(): number {
    return this.#text.length;
  }

  canCheckPrefix(): boolean {
    return true;
  }

  #read(): void {
    this.#reads += 1;
    if (this.#reads % READS_AT_ONCE === 0) this.#context.charge(READS_AT_ONCE * this.#readSteps);
  }
}

function isWord(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || code === 95 || (code >= 97 && code <= 122);
}
