import { BuiltinError } from '../builtin.ts';
import { TAG } from './der.ts';
import type { DerElement } from './der.ts';
import { textOf } from './go-bytes.ts';
import { SECOND, civilOf } from './moment.ts';
import { formatTime } from './time-format.ts';
import { parseTime } from './time-parse.ts';

/** A time of a certificate: nanoseconds since the epoch, and the offset in seconds that it was written with. */
export type CertificateTime = { readonly ns: bigint; readonly offset: number };

const UTC_TIME = /^([0-9]{2})([0-9]{8})([0-9]{2})?(Z|[+-][0-9]{4})$/;
const GENERALIZED_TIME = /^([0-9]{4})([0-9]{8})([0-9]{2})(Z|[+-][0-9]{4})$/;

/** Reads a UTCTime, whose years are 1950 to 2049 (RFC 5280 4.1.2.5.1), or a GeneralizedTime; no fractions, and Z for no offset. */
export function readTime({ tag, body }: DerElement): CertificateTime {
  const text = textOf(body);
  const found = (tag === TAG.utcTime ? UTC_TIME : tag === TAG.generalizedTime ? GENERALIZED_TIME : /^(?!)/).exec(text);
  if (found === null) throw new BuiltinError('malformed time');
  const [, year = '', day = '', seconds = '00', zone = 'Z'] = found;
  const century = Number(year) >= 50 ? '19' : '20';
  const full = `${tag === TAG.utcTime ? century : ''}${year}${day}${seconds}${zone}`;
  const ns = parseTime('20060102150405Z0700', full);
  return { ns, offset: offsetOf(zone) };
}

function offsetOf(zone: string): number {
  if (zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3));
  if (minutes === 0 || Number(zone.slice(3)) > 59) throw new BuiltinError('malformed time');
  return (zone.startsWith('-') ? -60 : 60) * minutes;
}

/** The time as Go's JSON has it, RFC 3339. */
export function timeText({ ns, offset }: CertificateTime): string {
  const civil = { ...civilOf(ns + BigInt(offset) * SECOND, 'UTC'), offset };
  return formatTime('RFC3339Nano', civil, () => '');
}
