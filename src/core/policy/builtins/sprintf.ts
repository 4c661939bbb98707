import { EvaluationHalt } from '../abort.ts';
import { MAX_TEXT, stringArg, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { str } from '../term.ts';
import type { Term } from '../term.ts';
import { chargeDigits } from './digits-cost.ts';
import { bytesOf } from './go-bytes.ts';
import { PLAIN, formatValue } from './go-directive.ts';
import type { Directive } from './go-directive.ts';
import { goValue, leavesOf } from './go-value.ts';
import type { GoValue } from './go-value.ts';

/** A directive up to its verb: flags, width, precision, operand numbers before each `*` and before the verb. */
const FLAGS = /[-+# 0]*/y;
const DIGITS = /[0-9]*/y;
const INDEX = /\[([^\]]*)\]/y;
/** What Go takes for a width or precision by `*`, and when it stops reading digits. */
const GO_MAX_WIDTH = 1_000_000;
/** Steps of formatting one operand; width and precision are paid for beside it, which is what bounds them. */
const OPERAND_STEPS = 40_000;

/**
 * `sprintf` with Go's verbs, flags, widths and precisions, also by `*` and by `[n]`; what does not fit is reported in the text as Go does
 * (`%!d(string=a)`). `%p` and `%w` of numbers beyond 64 bits are errors here: they would show an address.
 */
function sprintf(args: readonly Term[], context: BuiltinContext): Term {
  const format = stringArg(args, 0);
  const list = args[1];
  if (list?.kind !== 'array') throw wrongType(1, 'array', list);
  for (const item of list.items) if (item.kind === 'number') chargeDigits(item.text.length, context);
  return str(formatAll(format, list.items.map(goValue), context));
}

/** Go's `fmt.Sprintf`, paid for operand by operand. */
export function formatAll(format: string, operands: readonly GoValue[], context: BuiltinContext): string {
  return new Printer(format, operands, context).text();
}

/** Go's `fmt.Sprint` or, with spaces between all operands, what `fmt.Sprintln` writes before the end of the line. */
export function printAll(operands: readonly GoValue[], context: BuiltinContext, spaced: boolean): string {
  let text = '';
  for (const [index, operand] of operands.entries()) {
    const apart = spaced || !(isText(operand) || isText(operands[index - 1]));
    text = bounded(text + (index > 0 && apart ? ' ' : '') + paid(PLAIN, operand, context));
  }
  return text;
}

function isText(value: GoValue | undefined): boolean {
  return value?.kind === 'string' || value?.kind === 'json.Number';
}

/** A text that may still grow; an operand can be shown more than once. */
function bounded(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  throw new EvaluationHalt('policy_memory_exceeded', 'a formatted text is too large');
}

/** Each value in an operand is formatted, and padded, on its own. */
function paid(directive: Directive, operand: GoValue, context: BuiltinContext): string {
  const price = OPERAND_STEPS + (directive.width ?? 0) * 400 + (directive.precision ?? 0) * 4_000;
  context.charge(leavesOf(operand) * price);
  return formatValue(directive, operand);
}

/** One run of Go's `doPrintf`: a place in the format and one in the operands. */
class Printer {
  readonly #format: string;
  readonly #operands: readonly GoValue[];
  readonly #context: BuiltinContext;
  #at = 0;
  #next = 0;
  /** Operands were chosen by number, so none is said to be left over. */
  #reordered = false;
  #goodIndex = true;
  #afterIndex = false;

  constructor(format: string, operands: readonly GoValue[], context: BuiltinContext) {
    this.#format = format;
    this.#operands = operands;
    this.#context = context;
  }

  text(): string {
    let text = '';
    while (this.#at < this.#format.length) {
      const percent = this.#format.indexOf('%', this.#at);
      text += this.#format.slice(this.#at, percent < 0 ? undefined : percent);
      if (percent < 0) break;
      this.#at = percent + 1;
      text = bounded(text + this.#directive());
    }
    const left = this.#operands.slice(this.#next);
    return this.#reordered || left.length === 0 ? text : text + this.#extra(left);
  }

  #directive(): string {
    this.#goodIndex = true;
    const flags = this.#take(FLAGS);
    this.#index();
    const { size: width, minus, problem: badWidth } = this.#width();
    const { size: precision, problem: badPrecision } = this.#precision();
    if (!this.#afterIndex) this.#index();
    const verb = String.fromCodePoint(this.#format.codePointAt(this.#at) ?? 0);
    if (this.#at >= this.#format.length) return `${badWidth}${badPrecision}%!(NOVERB)`;
    this.#at += verb.length;
    const directive = {
      plus: flags.includes('+'),
      minus: minus || flags.includes('-'),
      sharp: flags.includes('#'),
      space: flags.includes(' '),
      zero: flags.includes('0') && !minus,
      width,
      precision,
      verb,
    };
    return badWidth + badPrecision + this.#operand(directive);
  }

  #operand(directive: Directive): string {
    const { verb } = directive;
    if (verb === '%') return '%';
    if (!this.#goodIndex) return `%!${verb}(BADINDEX)`;
    const operand = this.#operands[this.#next];
    if (operand === undefined) return `%!${verb}(MISSING)`;
    this.#next += 1;
    return paid(directive, operand, this.#context);
  }

  #width(): { size: number | undefined; minus: boolean; problem: string } {
    if (this.#format[this.#at] === '*') {
      const size = this.#star();
      const problem = size === undefined ? '%!(BADWIDTH)' : '';
      return { size: size === undefined ? undefined : Math.abs(size), minus: size !== undefined && size < 0, problem };
    }
    const size = this.#number();
    if (this.#afterIndex && size !== undefined) this.#goodIndex = false;
    return { size, minus: false, problem: '' };
  }

  /** A period that ends the format is the verb, not a precision. */
  #precision(): { size: number | undefined; problem: string } {
    if (this.#format[this.#at] !== '.' || this.#at + 1 >= this.#format.length) return { size: undefined, problem: '' };
    this.#at += 1;
    if (this.#afterIndex) this.#goodIndex = false;
    this.#index();
    if (this.#format[this.#at] !== '*') return { size: this.#number() ?? 0, problem: '' };
    const size = this.#star();
    return size === undefined || size < 0 ? { size: undefined, problem: '%!(BADPREC)' } : { size, problem: '' };
  }

  /** The operand at hand as a width or precision; undefined where it is none. */
  #star(): number | undefined {
    this.#at += 1;
    this.#afterIndex = false;
    const operand = this.#operands[this.#next];
    if (operand === undefined) return undefined;
    this.#next += 1;
    const whole = operand.kind === 'int64' || operand.kind === 'int' || operand.kind === 'uint8';
    const size = whole ? Number(operand.value) : undefined;
    return size !== undefined && Math.abs(size) <= GO_MAX_WIDTH ? size : undefined;
  }

  /** Digits; a number that Go takes for too large swallows the rest of the format. */
  #number(): number | undefined {
    const digits = this.#take(DIGITS);
    if (digits === '') return undefined;
    if (Number(digits.slice(0, -1)) <= GO_MAX_WIDTH) return Number(digits);
    this.#at = this.#format.length;
    return undefined;
  }

  /** `[n]`, counted from 1: the operand that comes next. */
  #index(): void {
    this.#afterIndex = false;
    if (this.#format[this.#at] !== '[') return;
    this.#reordered = true;
    INDEX.lastIndex = this.#at;
    const rest = this.#format.slice(this.#at);
    const found = rest.length > 2 || bytesOf(rest).length > 2 ? INDEX.exec(this.#format) : null;
    const number = Number(found?.[1]);
    const sound = /^[0-9]{1,7}$/.test(found?.[1] ?? '');
    this.#at += found?.[0].length ?? 1;
    this.#afterIndex = sound;
    if (sound && number >= 1 && number <= this.#operands.length) this.#next = number - 1;
    else this.#goodIndex = false;
  }

  #extra(left: readonly GoValue[]): string {
    const shown = left.map((operand) =>
      operand.kind === '<nil>' ? operand.kind : `${operand.kind}=${paid(PLAIN, operand, this.#context)}`,
    );
    return `%!(EXTRA ${shown.join(', ')})`;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#format)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }
}

/** Formatting. */
export const SPRINTF_BUILTINS: Readonly<Record<string, Builtin>> = { sprintf: { arity: 2, call: sprintf } };
