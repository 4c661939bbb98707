import { BuiltinError, integerArg, stringArg } from '../builtin.ts';
import type { Builtin, BuiltinContext } from '../builtin.ts';
import { arr, num, str } from '../term.ts';
import type { Term } from '../term.ts';
import { DAYS } from './calendar-names.ts';
import { parseDuration } from './duration.ts';
import { civilOf, inRange, momentArg } from './moment.ts';
import type { Civil } from './moment.ts';
import { addDate, difference } from './time-arithmetic.ts';
import { chargeDuration, chargeLayout } from './time-cost.ts';
import { formatTime } from './time-format.ts';
import { parseTime } from './time-parse.ts';
import { zoneAbbreviation } from './zone-abbreviation.ts';

function parsed(layout: string, text: string, cost: BuiltinContext): Term {
  chargeLayout(cost, layout);
  const ns = parseTime(layout, text);
  if (!inRange(ns)) throw new BuiltinError('time outside of valid range');
  return num(ns);
}

/** RFC 3339 with nanoseconds where no layout is given. */
function format(args: readonly Term[], cost: BuiltinContext): Term {
  const { ns, zone, layout } = momentArg(args, 0, cost);
  chargeLayout(cost, layout);
  const civil = civilOf(ns, zone);
  let name: string | undefined;
  const abbreviation = (): string => (name ??= zoneAbbreviation(ns, zone, civil.offset, cost));
  return str(formatTime(layout === '' ? 'RFC3339Nano' : layout, civil, abbreviation));
}

function civilArg(args: readonly Term[], cost: BuiltinContext): Civil {
  const { ns, zone } = momentArg(args, 0, cost);
  return civilOf(ns, zone);
}

function list(...values: readonly number[]): Term {
  return arr(values.map(num));
}

/** Time. `time.now_ns` is constant within one decision, as in OPA. */
export const TIME_BUILTINS: Readonly<Record<string, Builtin>> = {
  'time.now_ns': { arity: 0, nondeterministic: true, call: (_, context) => num(context.nowNs()) },
  'time.parse_ns': { arity: 2, call: (args, cost) => parsed(stringArg(args, 0), stringArg(args, 1), cost) },
  'time.parse_rfc3339_ns': { arity: 1, call: (args, cost) => parsed('RFC3339', stringArg(args, 0), cost) },
  'time.parse_duration_ns': {
    arity: 1,
    call: (args, cost) => {
      const text = stringArg(args, 0);
      chargeDuration(cost, text);
      return num(parseDuration(text));
    },
  },
  'time.format': { arity: 1, call: format },
  'time.add_date': {
    arity: 4,
    call: (args, cost) =>
      num(addDate(momentArg(args, 0, cost), integerArg(args, 1), integerArg(args, 2), integerArg(args, 3))),
  },
  'time.diff': {
    arity: 2,
    call: (args, cost) => list(...difference(momentArg(args, 0, cost), momentArg(args, 1, cost))),
  },
  'time.date': {
    arity: 1,
    call: (args, cost) => {
      const { year, month, day } = civilArg(args, cost);
      return list(year, month, day);
    },
  },
  'time.clock': {
    arity: 1,
    call: (args, cost) => {
      const { hour, minute, second } = civilArg(args, cost);
      return list(hour, minute, second);
    },
  },
  'time.weekday': { arity: 1, call: (args, cost) => str(DAYS[civilArg(args, cost).weekday] ?? '') },
};
