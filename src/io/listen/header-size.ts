import type { HeaderList } from '../../core/kernel/headers.ts';

/** Size of a field list as HPACK counts it: 32 bytes a field besides name and value (RFC 7541 section 4.1). */
export function headerListSize(list: HeaderList): number {
  let size = 16 * list.length;
  for (const text of list) size += text.length;
  return size;
}
