import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { chargeZoneNames } from './time-cost.ts';

/** Names by offset in minutes; an offset without a name is written as a number. */
type Names = Readonly<Record<number, string>>;

const MEXICO: Names = { [-420]: 'MST', [-360]: 'MDT' };
const MOSCOW: Names = { 180: 'MSK', 240: 'MSD' };
const CHINA: Names = { 480: 'CST', 540: 'CDT' };
const BRITAIN: Names = { 0: 'GMT', 60: 'BST' };
const JERUSALEM: Names = { 120: 'IST', 180: 'IDT' };
const NUMBERS: Names = {};

/** Zones whose abbreviation in the IANA database differs from what English speakers use, or that these do not name. */
const OWN: ReadonlyMap<string, Names> = new Map<string, Names>([
  ...['Chihuahua', 'Ciudad_Juarez', 'Dawson', 'Hermosillo', 'Mazatlan', 'Whitehorse'].map(
    (city) => [`America/${city}`, MEXICO] as const,
  ),
  ...['Kirov', 'Moscow', 'Simferopol', 'Volgograd'].map((city) => [`Europe/${city}`, MOSCOW] as const),
  ...['Macau', 'Shanghai', 'Taipei'].map((city) => [`Asia/${city}`, CHINA] as const),
  ...['Guernsey', 'Isle_of_Man', 'Jersey'].map((island) => [`Europe/${island}`, BRITAIN] as const),
  ...['GMT', 'GMT0', 'GMT+0', 'GMT-0', 'Greenwich'].flatMap(
    (name) =>
      [
        [name, BRITAIN],
        [`Etc/${name}`, BRITAIN],
      ] as const,
  ),
  ...['Colombo', 'Dubai', 'Kuala_Lumpur', 'Kuching', 'Muscat', 'Singapore'].map(
    (city) => [`Asia/${city}`, NUMBERS] as const,
  ),
  ...['Africa/Casablanca', 'Africa/El_Aaiun', 'America/Miquelon', 'Antarctica/Casey', 'Antarctica/Troll'].map(
    (name) => [name, NUMBERS] as const,
  ),
  ...['Australia/Eucla', 'Australia/Lord_Howe', 'Pacific/Chatham'].map((name) => [name, NUMBERS] as const),
  ['America/Adak', { [-600]: 'HST', [-540]: 'HDT' }],
  ['America/Havana', { [-300]: 'CST', [-240]: 'CDT' }],
  ['Asia/Hong_Kong', { 480: 'HKT', 540: 'HKST' }],
  ['Asia/Jakarta', { 420: 'WIB' }],
  ['Asia/Jayapura', { 540: 'WIT' }],
  ['Asia/Jerusalem', JERUSALEM],
  ['Asia/Karachi', { 300: 'PKT', 360: 'PKST' }],
  ['Asia/Makassar', { 480: 'WITA' }],
  ['Asia/Manila', { 480: 'PST', 540: 'PDT' }],
  ['Asia/Pontianak', { 420: 'WIB', 480: 'WITA' }],
  ['Asia/Pyongyang', { 510: 'KST', 540: 'KST' }],
  ['Asia/Seoul', { 540: 'KST', 600: 'KDT' }],
  ['Asia/Tokyo', { 540: 'JST' }],
  ['Pacific/Guam', { 600: 'ChST' }],
  ['Pacific/Midway', { [-660]: 'SST' }],
  ['Pacific/Pago_Pago', { [-660]: 'SST' }],
  ['Pacific/Saipan', { 600: 'ChST' }],
]);

/** English of these places names zones of their part of the world, which English of the others writes as `GMT+2`. */
const ENGLISH = ['en-US', 'en-GB', 'en-AU', 'en-ZA', 'en-IN', 'en-CA', 'en-IE'];
/** 1972-01-01. Names were other ones before, and the platform knows only those of now. */
const KNOWN_FROM = 63_072_000_000_000_000n;
/** 2011-03-27 and 2014-10-26, 02:00 in Moscow: between them four hours were the standard time, which is MSK too; later they are no time of Moscow. */
const MOSCOW_AT_FOUR = [1_301_180_400_000_000_000n, 1_414_274_400_000_000_000n] as const;

/**
 * The abbreviation that the IANA database has for a zone at a time, `CET` or `-03`. The platform has offsets from it, but names from CLDR, so this is
 * exact for UTC and for nearly all zones since 1972, for which it was compared with Go; before it is an error rather than a guess.
 */
export function zoneAbbreviation(ns: bigint, zone: string, offset: number, cost: BuiltinContext): string {
  if (zone === 'UTC') return 'UTC';
  if (ns < KNOWN_FROM)
    throw new BuiltinError(`the abbreviation of ${zone} before 1972 is not known here; use -0700 in the layout`);
  const own = OWN.get(zone);
  if (own === MOSCOW && offset === 14_400 && ns >= MOSCOW_AT_FOUR[0])
    return ns < MOSCOW_AT_FOUR[1] ? 'MSK' : asNumber(offset);
  if (own !== undefined) return own[offset / 60] ?? asNumber(offset);
  for (const locale of ENGLISH) {
    chargeZoneNames(cost);
    const format = new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: 'short' });
    const name = format.formatToParts(Number(ns / 1_000_000n)).find((part) => part.type === 'timeZoneName')?.value;
    if (name !== undefined && /^[A-Za-z]+$/.test(name)) return name;
  }
  return asNumber(offset);
}

/** `+0530`, or `-03` for whole hours. */
function asNumber(offset: number): string {
  const minutes = Math.trunc(Math.abs(offset) / 60);
  const hours = String(Math.trunc(minutes / 60)).padStart(2, '0');
  const rest = minutes % 60 === 0 ? '' : String(minutes % 60).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${hours}${rest}`;
}
