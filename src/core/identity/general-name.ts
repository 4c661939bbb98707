import { latin1 } from './bytes.ts';
import type { DerReader } from './der.ts';
import { constructedTag, primitiveTag, TAG } from './der.ts';

/** More names, or constraints on names, than any certificate needs; comparing them costs their product. */
const MAX_NAMES = 128;

/** The longest URI, DNS or email name that is read; a SPIFFE ID has at most 2048 bytes. */
const MAX_TEXT_BYTES = 4096;

/**
 * A GeneralName (RFC 5280 4.2.1.6). URI and DNS names are read, since identity, constraints and headers need them;
 * of the others the form is enough: email, IP address, directory name and so on.
 */
export type GeneralName =
  | { readonly form: 'uri' | 'dns'; readonly text: string }
  | { readonly form: 'email' | 'ip' | 'directory' | 'other' };

const FORMS: Readonly<Record<number, GeneralName['form']>> = {
  [constructedTag(0)]: 'other',
  [primitiveTag(1)]: 'email',
  [primitiveTag(2)]: 'dns',
  [constructedTag(3)]: 'other',
  [constructedTag(4)]: 'directory',
  [constructedTag(5)]: 'other',
  [primitiveTag(6)]: 'uri',
  [primitiveTag(7)]: 'ip',
  [primitiveTag(8)]: 'other',
};

/** GeneralNames: one or more. */
export function readGeneralNames(reader: DerReader, what: string, tag: number = TAG.sequence): readonly GeneralName[] {
  return readList(reader.enter(tag, what), what, readGeneralName);
}

/** One or more elements up to the end of `list`, at most 128. */
export function readList<T>(list: DerReader, what: string, read: (reader: DerReader, what: string) => T): readonly T[] {
  const items: T[] = [];
  do items.push(read(list, what));
  while (!list.atEnd && items.length < MAX_NAMES);
  if (!list.atEnd) list.fail(`${what}: more than ${MAX_NAMES}`);
  return items;
}

/** One GeneralName. What is IA5String must be visible ASCII or spaces: no NUL, no controls, nothing above 7E. */
export function readGeneralName(reader: DerReader, what: string): GeneralName {
  const form = FORMS[reader.nextTag];
  if (form === undefined) reader.fail(`${what}: no such form of name`);
  const content = reader.content(reader.nextTag, what);
  if (form !== 'uri' && form !== 'dns' && form !== 'email') return { form: form ?? 'other' };
  if (content.length > MAX_TEXT_BYTES) {
    reader.fail(`${what}: a name of over ${MAX_TEXT_BYTES} bytes`);
    return { form: 'other' };
  }
  if (content.some((octet) => octet < 0x20 || octet > 0x7e))
    reader.fail(`${what}: characters that are not visible ASCII`);
  return form === 'email' ? { form } : { form, text: latin1(content) };
}
