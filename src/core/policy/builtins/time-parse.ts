import { BuiltinError } from '../builtin.ts';
import { DAYS, MONTHS } from './calendar-names.ts';
import { SECOND, daysBefore, daysIn } from './moment.ts';
import { readLayout } from './time-layout.ts';
import type { LayoutPart } from './time-layout.ts';

const OFFSETS: Readonly<Record<string, RegExp>> = {
  '0700': /^(.)([0-9]{2})([0-9]{2})/s,
  '070000': /^(.)([0-9]{2})([0-9]{2})([0-9]{2})/s,
  '07': /^(.)([0-9]{2})/s,
  '07:00': /^(.)([0-9]{2}):([0-9]{2})/s,
  '07:00:00': /^(.)([0-9]{2}):([0-9]{2}):([0-9]{2})/s,
};
/** What Go takes for the abbreviation of a zone: three letters, four that end in T or are WITA, five that end in T, and a few more. */
const ZONE =
  /^(?:ChST|MeST|GMT(?:[+-](?:0*(?:[0-9]|1[0-9]|2[0-3])(?![0-9])))?|[+-]0*(?:[0-9]|1[0-9]|2[0-3])(?![0-9])|[A-Z]{4}T(?![A-Z])|(?:[A-Z]{3}T|WITA)(?![A-Z])|[A-Z]{3}(?![A-Z]))/;

/**
 * Nanoseconds since the epoch of a time in a layout, as Go's `time.Parse` reads it on a machine in UTC: names in any case, a fraction after the
 * seconds though the layout has none, zones by offset; a zone known by its abbreviation only counts as UTC. May be beyond 64 bits.
 */
export function parseTime(layout: string, text: string): bigint {
  const reader = new TimeReader(text);
  const { parts, tail } = readLayout(layout);
  for (const [at, part] of parts.entries()) {
    reader.skip(part.text);
    reader.read(part, parts[at + 1]);
  }
  reader.skip(tail);
  if (reader.rest !== '') throw new BuiltinError('extra text after the time');
  return reader.result();
}

/** Reads field after field from the front of `rest`; the least that was never read stays undefined. */
class TimeReader {
  rest: string;
  #year = 0;
  #month: number | undefined;
  #day: number | undefined;
  #yearDay: number | undefined;
  #hour = 0;
  #minute = 0;
  #second = 0;
  #nanosecond = 0;
  #half: 'AM' | 'PM' | undefined;
  #offset = 0;
  #utc = false;

  constructor(text: string) {
    this.rest = text;
  }

  /** Takes the text of the layout; a run of spaces stands for any run of spaces, also none at the end. */
  skip(text: string): void {
    for (const run of text.match(/ +|[^ ]+/g) ?? []) {
      if (run.startsWith(' ')) {
        if (this.rest !== '' && !this.rest.startsWith(' ')) throw bad(run);
        this.rest = this.rest.replace(/^ +/, '');
      } else if (this.rest.startsWith(run)) this.rest = this.rest.slice(run.length);
      else throw bad(run);
    }
  }

  read(part: LayoutPart, next: LayoutPart | undefined): void {
    switch (part.field) {
      case '06':
        return this.#shortYear();
      case '2006':
        this.#year = signed(this.#take(/^[0-9][^]{3}/, part));
        return undefined;
      case 'Jan':
      case 'January':
        this.#month = this.#name(MONTHS, part) + 1;
        return undefined;
      case 'Mon':
      case 'Monday':
        this.#name(DAYS, part);
        return undefined;
      case 'PM':
      case 'pm':
        this.#half = this.#take(part.field === 'PM' ? /^[AP]M/ : /^[ap]m/, part).toUpperCase() as 'AM' | 'PM';
        return undefined;
      case 'MST':
        return this.#zone(part);
      case '.000':
        return this.#fixedFraction(part);
      case '.999':
        return this.#optionalFraction();
      default:
        return /^[-Z]/.test(part.field) ? this.#zoneOffset(part) : this.#number(part, next);
    }
  }

  /** The moment, once all is read. */
  result(): bigint {
    if (this.#half === 'PM' && this.#hour < 12) this.#hour += 12;
    else if (this.#half === 'AM' && this.#hour === 12) this.#hour = 0;
    const [month, day] = this.#date();
    if (day < 1 || day > daysIn(this.#year, month)) throw new BuiltinError('day out of range');
    const days = daysBefore(this.#year, month) + BigInt(day - 1);
    const clock = this.#hour * 3600 + this.#minute * 60 + this.#second - (this.#utc ? 0 : this.#offset);
    return (days * 86_400n + BigInt(clock)) * SECOND + BigInt(this.#nanosecond);
  }

  /** Month and day, which a day of the year gives or must agree with. */
  #date(): [number, number] {
    const yearDay = this.#yearDay;
    if (yearDay === undefined) return [this.#month ?? 1, this.#day ?? 1];
    let month = 1;
    let day = yearDay;
    while (month < 12 && day > daysIn(this.#year, month)) {
      day -= daysIn(this.#year, month);
      month += 1;
    }
    if (day < 1 || day > daysIn(this.#year, month)) throw new BuiltinError('day-of-year out of range');
    if ((this.#month ?? month) !== month || (this.#day ?? day) !== day)
      throw new BuiltinError('day-of-year does not match month or day');
    return [month, day];
  }

  #take(pattern: RegExp, part: LayoutPart): string {
    const found = pattern.exec(this.rest)?.[0];
    if (found === undefined) throw bad(part.field);
    this.rest = this.rest.slice(found.length);
    return found;
  }

  #shortYear(): void {
    const year = signed(this.#take(/^[^]{2}/, { text: '', field: '06', digits: 0, sign: '' }));
    this.#year = year + (year >= 69 ? 1900 : 2000);
  }

  /** A name in any case, the long one or its first three letters. */
  #name(names: readonly string[], part: LayoutPart): number {
    const size = part.field.length === 3 ? 3 : undefined;
    const letters = (/^[A-Za-z]{1,9}/.exec(this.rest)?.[0] ?? '').toLowerCase();
    const index = names.findIndex((name) => letters.startsWith(name.slice(0, size).toLowerCase()));
    if (index < 0) throw bad(part.field);
    this.rest = this.rest.slice(names[index]?.slice(0, size).length);
    return index;
  }

  #number(part: LayoutPart, next: LayoutPart | undefined): void {
    switch (part.field) {
      case '1':
      case '01':
        this.#month = this.#within(this.#digits(part), 1, 12, 'month');
        break;
      case '2':
      case '_2':
      case '02':
        this.#day = this.#digits(part);
        break;
      case '__2':
      case '002':
        this.#yearDay = Number(this.#take(part.field === '002' ? /^[0-9]{3}/ : /^ {0,2}[0-9]{1,3}/, part));
        break;
      case '15':
        this.#hour = this.#within(this.#digits(part), 0, 23, 'hour');
        break;
      case '3':
      case '03':
        this.#hour = this.#within(this.#digits(part), 0, 12, 'hour');
        break;
      case '4':
      case '04':
        this.#minute = this.#within(this.#digits(part), 0, 59, 'minute');
        break;
      default:
        this.#second = this.#within(this.#digits(part), 0, 59, 'second');
        if (next?.field !== '.000' && next?.field !== '.999') this.#optionalFraction();
    }
  }

  /** One or two digits, or exactly two; `_2` may have a space before. */
  #digits({ field, ...part }: LayoutPart): number {
    const fixed = field.startsWith('0');
    return Number(
      this.#take(fixed ? /^[0-9]{2}/ : field === '_2' ? /^ ?[0-9]{1,2}/ : /^[0-9]{1,2}/, { field, ...part }),
    );
  }

  #within(value: number, least: number, most: number, what: string): number {
    if (value < least || value > most) throw new BuiltinError(`${what} out of range`);
    return value;
  }

  #optionalFraction(): void {
    const found = /^[.,][0-9]+/.exec(this.rest)?.[0];
    if (found === undefined) return;
    this.rest = this.rest.slice(found.length);
    this.#fraction(found);
  }

  /** As many characters behind the sign as the layout has zeros. */
  #fixedFraction(part: LayoutPart): void {
    const text = this.rest.slice(0, part.digits + 1);
    if (text.length <= part.digits || !/^[.,]/.test(text)) throw bad(part.field);
    this.rest = this.rest.slice(text.length);
    this.#fraction(text);
  }

  /** A sign and digits, of which nine count. */
  #fraction(text: string): void {
    const value = signed(text.slice(1, 10));
    if (value < 0) throw new BuiltinError('fractional second out of range');
    this.#nanosecond = value * 10 ** (10 - Math.min(text.length, 10));
  }

  #zoneOffset(part: LayoutPart): void {
    if (part.field.startsWith('Z') && this.rest.startsWith('Z')) {
      this.rest = this.rest.slice(1);
      this.#utc = true;
      return;
    }
    const pattern = OFFSETS[part.field.slice(1)];
    const found = pattern?.exec(this.rest);
    if (!found) throw bad(part.field);
    this.rest = this.rest.slice(found[0].length);
    const [hours, minutes, seconds] = [Number(found[2]), Number(found[3] ?? 0), Number(found[4] ?? 0)];
    if (hours > 24 || minutes > 60 || seconds > 60) throw new BuiltinError('time zone offset out of range');
    if (found[1] !== '+' && found[1] !== '-') throw bad(part.field);
    this.#offset = (hours * 3600 + minutes * 60 + seconds) * (found[1] === '-' ? -1 : 1);
  }

  #zone(part: LayoutPart): void {
    if (this.rest.startsWith('UTC')) {
      this.rest = this.rest.slice(3);
      this.#utc = true;
    } else if (this.rest.length < 3) throw bad(part.field);
    else this.#take(ZONE, part);
  }
}

/** Digits with an optional sign, as Go's `atoi`. */
function signed(text: string): number {
  if (!/^[+-]?[0-9]+$/.test(text)) throw new BuiltinError('not a number');
  return Number(text);
}

function bad(field: string): BuiltinError {
  return new BuiltinError(`cannot parse the text as ${field.slice(0, 40)}`);
}
