import { DAYS, MONTHS } from './calendar-names.ts';
import type { Civil } from './moment.ts';
import { readLayout } from './time-layout.ts';
import type { LayoutPart } from './time-layout.ts';

/** Writes a moment in a layout, as Go's `Time.Format`. `zoneText` gives the abbreviation of the zone where the layout has `MST`. */
export function formatTime(layout: string, civil: Civil, zoneText: () => string): string {
  const { parts, tail } = readLayout(layout);
  return parts.map((part) => part.text + fieldText(part, civil, zoneText)).join('') + tail;
}

function fieldText(part: LayoutPart, civil: Civil, zoneText: () => string): string {
  switch (part.field) {
    case 'January':
      return MONTHS[civil.month - 1] ?? '';
    case 'Jan':
      return (MONTHS[civil.month - 1] ?? '').slice(0, 3);
    case 'Monday':
      return DAYS[civil.weekday] ?? '';
    case 'Mon':
      return (DAYS[civil.weekday] ?? '').slice(0, 3);
    case 'PM':
      return civil.hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return civil.hour >= 12 ? 'pm' : 'am';
    case 'MST':
      return zoneText();
    case '.000':
    case '.999':
      return fraction(part, civil.nanosecond);
    default:
      return NUMBER_FIELDS.get(part.field)?.(civil) ?? offsetText(part.field, civil.offset);
  }
}

/** Fields that are numbers. */
const NUMBER_FIELDS: ReadonlyMap<string, (civil: Civil) => string> = new Map<string, (civil: Civil) => string>([
  ['1', ({ month }) => String(month)],
  ['01', ({ month }) => digits(month, 2)],
  ['2', ({ day }) => String(day)],
  ['_2', ({ day }) => String(day).padStart(2, ' ')],
  ['02', ({ day }) => digits(day, 2)],
  ['__2', ({ yearDay }) => String(yearDay).padStart(3, ' ')],
  ['002', ({ yearDay }) => digits(yearDay, 3)],
  ['15', ({ hour }) => digits(hour, 2)],
  ['3', ({ hour }) => String(hour12(hour))],
  ['03', ({ hour }) => digits(hour12(hour), 2)],
  ['4', ({ minute }) => String(minute)],
  ['04', ({ minute }) => digits(minute, 2)],
  ['5', ({ second }) => String(second)],
  ['05', ({ second }) => digits(second, 2)],
  ['2006', ({ year }) => digits(year, 4)],
  ['06', ({ year }) => digits(year % 100, 2)],
]);

function hour12(hour: number): number {
  return hour % 12 === 0 ? 12 : hour % 12;
}

/** `Z07:00` and its kin: Z at Greenwich, else as without the Z. Hours and minutes are cut towards zero. */
export function offsetText(field: string, offset: number): string {
  if (field.startsWith('Z') && offset === 0) return 'Z';
  const minutes = Math.trunc(offset / 60);
  const colon = field.includes(':') ? ':' : '';
  const sign = minutes < 0 ? '-' : '+';
  const hourText = digits(Math.trunc(Math.abs(minutes) / 60), 2);
  if (field.length === 3) return sign + hourText;
  const minuteText = colon + digits(Math.abs(minutes) % 60, 2);
  if (!/:00:00$|0000$/.test(field)) return sign + hourText + minuteText;
  const seconds = (minutes < 0 ? -offset : offset) % 60;
  return sign + hourText + minuteText + colon + digits(seconds, 2);
}

/** Zeros print all digits, nines drop zeros at the end and the sign with them. More than nine digits are nine. */
function fraction({ field, digits: count, sign }: LayoutPart, nanosecond: number): string {
  if (field === '.999' && nanosecond === 0) return '';
  const text = digits(nanosecond, 9).slice(0, count);
  if (field === '.000') return sign + text;
  const cut = text.replace(/0+$/, '');
  return cut === '' ? '' : sign + cut;
}

function digits(value: number, width: number): string {
  return value < 0 ? `-${String(-value).padStart(width, '0')}` : String(value).padStart(width, '0');
}
