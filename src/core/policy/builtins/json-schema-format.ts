import { BuiltinError } from '../builtin.ts';
import type { BuiltinContext } from '../builtin.ts';
import { parseUrl } from './go-url.ts';
import { readIp } from './ip-text.ts';
import { isMailAddress } from './mail-address.ts';
import { Regex } from './re2.ts';

type Check = (text: string, context: BuiltinContext) => boolean;

const TIME = String.raw`([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,][0-9]+)?`;
const ZONE = String.raw`(?:Z|[+-]([0-9]{2}):([0-9]{2}))`;
const CLOCK = new RegExp(`^${TIME}${ZONE}?$`);
const MOMENT = new RegExp(`^([0-9]{4}-[0-9]{2}-[0-9]{2})T(${TIME}${ZONE})$`);
const DATE = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/;
const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const HOSTNAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const UUID = /^[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$/i;
const POINTER = /^(?:\/(?:[^~/]|~0|~1)*)*$/;
const RELATIVE_POINTER = /^(?:0|[1-9][0-9]*)(?:#|(?:\/(?:[^~/]|~0|~1)*)*)$/;

/** Formats that OPA's JSON Schema library checks (format_checkers.go). */
const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['date', isDate],
  ['time', isClock],
  ['date-time', (text) => isClock(text) || isDate(text) || isMoment(text)],
  ['hostname', (text) => text.length < 256 && HOSTNAME.test(text)],
  ['email', isMailAddress],
  ['idn-email', isMailAddress],
  ['ipv4', (text) => text.includes('.') && readIp(text) !== undefined],
  ['ipv6', (text) => text.includes(':') && readIp(text) !== undefined],
  ['uri', isUri],
  ['iri', isUri],
  ['uri-reference', (text) => urlOf(text) !== undefined],
  ['iri-reference', (text) => urlOf(text) !== undefined],
  ['uri-template', isUriTemplate],
  ['uuid', (text) => UUID.test(text)],
  ['regex', isRegex],
  ['json-pointer', (text) => POINTER.test(text)],
  ['relative-json-pointer', (text) => RELATIVE_POINTER.test(text)],
]);

/** True where a text has the format, or nobody knows the format. */
export function hasFormat(format: string, text: string, context: BuiltinContext): boolean {
  return CHECKS.get(format)?.(text, context) ?? true;
}

function isDate(text: string): boolean {
  const [, year = '', month = '', day = ''] = DATE.exec(text) ?? [];
  const leapYear = 2000 + (Number(year) % 400);
  const days = new Date(Date.UTC(leapYear, Number(month), 0)).getUTCDate();
  return year !== '' && Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= days;
}

function isClock(text: string): boolean {
  const found = CLOCK.exec(text)
    ?.slice(1)
    .map((part) => Number(part ?? 0));
  const [hour = 0, minute = 0, second = 0, zoneHour = 0, zoneMinute = 0] = found ?? [];
  return found !== undefined && hour < 24 && minute < 60 && second < 60 && zoneHour <= 24 && zoneMinute <= 60;
}

function isMoment(text: string): boolean {
  const [, date = '', clock = ''] = MOMENT.exec(text) ?? [];
  return isDate(date) && isClock(clock);
}

function urlOf(text: string): ReturnType<typeof parseUrl> | undefined {
  if (text.includes('\\')) return undefined;
  try {
    return parseUrl(text);
  } catch (problem) {
    if (problem instanceof BuiltinError) return undefined;
    throw problem;
  }
}

function isUri(text: string): boolean {
  const url = urlOf(text);
  return url !== undefined && url.scheme !== '';
}

/** Every opening brace of the path has a closing one after it. */
function isUriTemplate(text: string): boolean {
  const path = urlOf(text)?.path;
  if (path === undefined) return false;
  let open = path.indexOf('{');
  while (open >= 0) {
    const close = path.indexOf('}', open);
    if (close < 0) return false;
    open = path.indexOf('{', close);
  }
  return true;
}

function isRegex(text: string, context: BuiltinContext): boolean {
  try {
    Regex.of(text, context);
    return true;
  } catch (problem) {
    if (problem instanceof BuiltinError) return false;
    throw problem;
  }
}
