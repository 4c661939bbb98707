import { BuiltinError, stringArg, wrongType } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { str } from '../term.ts';
import type { Term } from '../term.ts';
import { formatValue } from './go-directive.ts';
import type { Directive } from './go-directive.ts';
import { goValue } from './go-value.ts';
import type { GoValue } from './go-value.ts';

const DIRECTIVE = /%([-+# 0]*)([0-9]*)(\.[0-9]*)?([[*]?)(.?)/gsu;
/** Widest field and most digits; Go allows a million. */
const MAX_WIDTH = 10_000;
/** Steps of formatting one operand, at most for each character of its width. */
const OPERAND_STEPS = 40_000;

/**
 * `sprintf` with Go's verbs: `%s %d %v %t %q %x %X %b %o %O %c %e %E %f %F %g %G %T %%`, flags, width and precision; what does not fit is reported in the
 * text as Go does (`%!d(string=a)`). Widths and operands chosen by `*` and `[n]`, and `%U`, `%#g` and hexadecimal floats, are errors here.
 */
function sprintf(args: readonly Term[], context: BuiltinContext): Term {
  const format = stringArg(args, 0);
  const list = args[1];
  if (list?.kind !== 'array') throw wrongType(1, 'array', list);
  const operands = list.items.map(goValue);
  let used = 0;
  const text = format.replaceAll(
    DIRECTIVE,
    (_, flags: string, width: string, dot: string | undefined, index: string, last: string) => {
      if (index !== '') throw new BuiltinError('operands and widths by index are not supported');
      if (last === '%') return '%';
      // A period that ends the format is the verb, not a precision.
      const [precision, verb] = last === '' && dot === '.' ? [undefined, dot] : [dot, last];
      if (verb === '') return '%!(NOVERB)';
      const directive = readDirective(flags, width, precision, verb);
      const operand = operands[used];
      if (operand === undefined) return `%!${verb}(MISSING)`;
      used += 1;
      context.charge(OPERAND_STEPS + (directive.width ?? 0) * 400 + (directive.precision ?? 0) * 4_000);
      return formatValue(directive, operand);
    },
  );
  return str(used < operands.length ? text + extra(operands.slice(used)) : text);
}

function readDirective(flags: string, width: string, precision: string | undefined, verb: string): Directive {
  const limits = [Number(width), Number((precision ?? '').slice(1))];
  if (limits.some((limit) => limit > MAX_WIDTH)) throw new BuiltinError('width or precision is too large');
  return {
    plus: flags.includes('+'),
    minus: flags.includes('-'),
    sharp: flags.includes('#'),
    space: flags.includes(' '),
    zero: flags.includes('0'),
    width: width === '' ? undefined : limits[0],
    precision: precision === undefined ? undefined : limits[1],
    verb,
  };
}

const PLAIN: Directive = {
  plus: false,
  minus: false,
  sharp: false,
  space: false,
  zero: false,
  width: undefined,
  precision: undefined,
  verb: 'v',
};

function extra(operands: readonly GoValue[]): string {
  return `%!(EXTRA ${operands.map((operand) => `${operand.kind}=${formatValue(PLAIN, operand)}`).join(', ')})`;
}

/** Formatting. */
export const SPRINTF_BUILTINS: Readonly<Record<string, Builtin>> = { sprintf: { arity: 2, call: sprintf } };
