import { BuiltinError, integerArg, stringArg } from '../builtin.ts';
import type { Builtin } from '../builtin.ts';
import { arr, num, str } from '../term.ts';
import type { Term } from '../term.ts';
import { DAYS } from './calendar-names.ts';
import { parseDuration } from './duration.ts';
import { civilOf, inRange, momentArg } from './moment.ts';
import type { Civil } from './moment.ts';
import { addDate, difference } from './time-arithmetic.ts';
import { formatTime } from './time-format.ts';
import { parseTime } from './time-parse.ts';
import { zoneAbbreviation } from './zone-abbreviation.ts';

function parsed(layout: string, text: string): Term {
  const ns = parseTime(layout, text);
  if (!inRange(ns)) throw new BuiltinError('time outside of valid range');
  return num(ns);
}

/** RFC 3339 with nanoseconds where no layout is given. */
function format(args: readonly Term[]): Term {
  const { ns, zone, layout } = momentArg(args, 0);
  const civil = civilOf(ns, zone);
  return str(formatTime(layout === '' ? 'RFC3339Nano' : layout, civil, () => zoneAbbreviation(ns, zone, civil.offset)));
}

function civilArg(args: readonly Term[]): Civil {
  const { ns, zone } = momentArg(args, 0);
  return civilOf(ns, zone);
}

function list(...values: readonly number[]): Term {
  return arr(values.map(num));
}

/** Time. `time.now_ns` is constant within one decision, as in OPA. */
export const TIME_BUILTINS: Readonly<Record<string, Builtin>> = {
  'time.now_ns': { arity: 0, nondeterministic: true, call: (_, context) => num(context.nowNs()) },
  'time.parse_ns': { arity: 2, call: (args) => parsed(stringArg(args, 0), stringArg(args, 1)) },
  'time.parse_rfc3339_ns': { arity: 1, call: (args) => parsed('RFC3339', stringArg(args, 0)) },
  'time.parse_duration_ns': { arity: 1, call: (args) => num(parseDuration(stringArg(args, 0))) },
  'time.format': { arity: 1, call: format },
  'time.add_date': {
    arity: 4,
    call: (args) => num(addDate(momentArg(args, 0), integerArg(args, 1), integerArg(args, 2), integerArg(args, 3))),
  },
  'time.diff': { arity: 2, call: (args) => list(...difference(momentArg(args, 0), momentArg(args, 1))) },
  'time.date': {
    arity: 1,
    call: (args) => {
      const { year, month, day } = civilArg(args);
      return list(year, month, day);
    },
  },
  'time.clock': {
    arity: 1,
    call: (args) => {
      const { hour, minute, second } = civilArg(args);
      return list(hour, minute, second);
    },
  },
  'time.weekday': { arity: 1, call: (args) => str(DAYS[civilArg(args).weekday] ?? '') },
};
