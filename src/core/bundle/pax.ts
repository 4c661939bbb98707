import { utf8 } from './member-name.ts';

/** What an extended header (POSIX.1-2001 pax) says about the member after it; all other records have no meaning here. */
export type PaxRecords = { readonly path?: string; readonly size?: number };

/** Reads `LENGTH KEY=VALUE\n` records; a text says what is wrong. A key twice, and records that change what content means, are refused. */
export function readPax(bytes: Uint8Array): PaxRecords | string {
  const found = new Map<string, string>();
  for (let offset = 0; offset < bytes.length;) {
    const record = oneRecord(bytes, offset);
    if (record === undefined) return 'a pax record that is malformed';
    const { key, value, end } = record;
    if (found.has(key)) return `two pax records for ${key}`;
    if (key.startsWith('GNU.sparse') || key === 'hdrcharset') return `a pax record for ${key}, which is not supported`;
    found.set(key, value);
    offset = end;
  }
  return known(found);
}

/** Says what is wrong with a global pax header: records that would rename or resize every member. Comments are fine. */
export function globalPaxFault(bytes: Uint8Array): string | undefined {
  const records = readPax(bytes);
  if (typeof records === 'string') return records;
  return Object.keys(records).length > 0 ? 'a global pax header that names or sizes members' : undefined;
}

function oneRecord(bytes: Uint8Array, offset: number) {
  const head = String.fromCharCode(...bytes.subarray(offset, offset + 10));
  const length = Number(/^([1-9][0-9]{0,7}) /.exec(head)?.[1]);
  const end = offset + length;
  if (!(end <= bytes.length) || bytes[end - 1] !== 0x0a) return undefined;
  const line = utf8(bytes.subarray(offset, end - 1));
  const match = line === undefined ? null : /^[0-9]+ ([^=]+)=([^]*)$/.exec(line);
  return match === null ? undefined : { key: match[1] ?? '', value: match[2] ?? '', end };
}

function known(records: ReadonlyMap<string, string>): PaxRecords | string {
  const path = records.get('path');
  const size = records.get('size');
  if (size !== undefined && !/^(?:0|[1-9][0-9]{0,14})$/.test(size)) return 'a pax size that is no number';
  return { ...(path === undefined ? {} : { path }), ...(size === undefined ? {} : { size: Number(size) }) };
}
