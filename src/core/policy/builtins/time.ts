import { BuiltinError, stringArg, wrongType } from '../builtin.ts';
import type { Builtin } from '../builtin.ts';
import { integerOf } from '../number-text.ts';
import { arr, num, str } from '../term.ts';
import type { Term } from '../term.ts';
import { parseDuration } from './duration.ts';

const RFC3339 =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))$/;
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const SECOND = 1_000_000_000n;
const LEAST = -(2n ** 63n);
const MOST = 2n ** 63n - 1n;
const ZONE_NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;

type Civil = {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  weekday: number;
};

/** Nanoseconds since the epoch of an RFC 3339 time, as Go reads one: comma or period, hour of one digit, offset up to 24:60. */
function parseRfc3339(args: readonly Term[]): Term {
  const found = RFC3339.exec(stringArg(args, 0));
  if (found === null) throw new BuiltinError('not an RFC 3339 time');
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [zoneHour, zoneMinute] = [Number(found[9] ?? 0), Number(found[10] ?? 0)];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const sound = month >= 1 && month <= 12 && day >= 1 && date.getUTCDate() === day;
  if (!sound || hour > 23 || minute > 59 || second > 59 || zoneHour > 24 || zoneMinute > 60)
    throw new BuiltinError('time out of range');
  const offset = (zoneHour * 60 + zoneMinute) * (found[8] === '-' ? -60 : 60);
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset;
  const nanoseconds = BigInt((found[7] ?? '').slice(0, 9).padEnd(9, '0'));
  const total = BigInt(seconds) * SECOND + nanoseconds;
  if (total < LEAST || total > MOST) throw new BuiltinError('time outside of valid range');
  return num(total);
}

/** A moment as `time.clock` and its kin take it: nanoseconds, or `[nanoseconds, zone, …]`. */
function civil(args: readonly Term[]): Civil {
  const moment = args[0];
  const [ns, zone] = moment?.kind === 'array' ? moment.items : [moment];
  if (ns?.kind !== 'number') throw wrongType(0, 'either number (ns) or [number (ns), string (tz)]', ns);
  const value = integerOf(ns.text, 40);
  if (value === undefined || value < LEAST || value > MOST) throw new BuiltinError('timestamp too big');
  const name = zone === undefined ? '' : stringArg([zone], 0);
  return name === '' || name === 'UTC' ? inUtc(value) : inZone(value, name);
}

function inUtc(ns: bigint): Civil {
  const seconds = ns / SECOND - (ns % SECOND < 0n ? 1n : 0n);
  const date = new Date(Number(seconds) * 1000);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    weekday: date.getUTCDay(),
  };
}

/** By the zones of the platform, under their exact names as in OPA; never the zone of this machine. */
function inZone(ns: bigint, name: string): Civil {
  if (!ZONE_NAME.test(name) || name === 'Local') throw new BuiltinError(`unknown time zone ${name.slice(0, 40)}`);
  let time: Temporal.ZonedDateTime;
  try {
    time = new Temporal.ZonedDateTime(ns, name);
  } catch {
    throw new BuiltinError(`unknown time zone ${name.slice(0, 40)}`);
  }
  if (time.timeZoneId !== name) throw new BuiltinError(`unknown time zone ${name.slice(0, 40)}`);
  const { year, month, day, hour, minute, second } = time;
  return { year, month, day, hour, minute, second, weekday: time.dayOfWeek % 7 };
}

function list(...values: readonly number[]): Term {
  return arr(values.map(num));
}

/** Time. `time.now_ns` is constant within one decision, as in OPA. */
export const TIME_BUILTINS: Readonly<Record<string, Builtin>> = {
  'time.now_ns': { arity: 0, nondeterministic: true, call: (_, context) => num(context.nowNs()) },
  'time.parse_rfc3339_ns': { arity: 1, call: parseRfc3339 },
  'time.parse_duration_ns': { arity: 1, call: (args) => num(parseDuration(stringArg(args, 0))) },
  'time.date': {
    arity: 1,
    call: (args) => {
      const { year, month, day } = civil(args);
      return list(year, month, day);
    },
  },
  'time.clock': {
    arity: 1,
    call: (args) => {
      const { hour, minute, second } = civil(args);
      return list(hour, minute, second);
    },
  },
  'time.weekday': { arity: 1, call: (args) => str(DAYS[civil(args).weekday] ?? '') },
};
