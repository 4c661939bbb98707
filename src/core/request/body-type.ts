import { allHeaders } from '../kernel/headers.ts';
import type { HeaderList } from '../kernel/headers.ts';
import { readParameters } from './media-type.ts';

/** How a body is read; `none`: its type has no reading. */
export type BodyKind = 'json' | 'grpc' | 'form' | 'multipart' | 'none';

/** In OPA-Envoy's order: the first that a content type contains counts. */
const MARKS: readonly (readonly [mark: string, kind: BodyKind])[] = [
  ['application/json', 'json'],
  ['application/grpc', 'grpc'],
  ['application/x-www-form-urlencoded', 'form'],
  ['multipart/form-data', 'multipart'],
];

/** The kind of body that a content type asks for, in any case of letters (RFC 9110 section 8.3.1). */
export function bodyKind(contentType: string): BodyKind {
  const type = contentType.toLowerCase();
  return MARKS.find(([mark]) => type.includes(mark))?.[1] ?? 'none';
}

/**
 * Why a body of this kind could be read by the agent as something else than we read, or undefined. OPA-Envoy looks for a word anywhere in the content
 * type and takes the bytes as UTF-8; agents go by the media type, its `charset` and `Content-Encoding`. Where these disagree one body has two
 * meanings: `application/x-www-form-urlencoded; x="application/json"`, or UTF-7, in which `+ACI-` is a quotation mark.
 */
export function otherReading(kind: BodyKind, contentType: string, headers: HeaderList): string | undefined {
  if (kind === 'none') return undefined;
  const named = contentType.split(';', 1).join('').trim().toLowerCase();
  if (bodyKind(named) !== kind || !MARKS.some(([mark]) => named.startsWith(mark)))
    return 'a content-type that names one type and contains another';
  if (kind === 'grpc') return undefined;
  const type = readParameters(contentType);
  if (type === undefined) return 'a malformed content-type';
  if (!isUtf8(type.parameters.get('charset'))) return 'a charset other than UTF-8';
  if ([...type.parameters.keys()].some((name) => name.includes('*')))
    return 'a content-type with an encoded parameter (RFC 8187)';
  const coded = allHeaders(headers, 'content-encoding').some((coding) => coding.toLowerCase() !== 'identity');
  return coded ? 'a content-encoding, which is not undone before the decision' : undefined;
}

/** True for no charset, which means UTF-8 (RFC 8259 section 8.1), and for UTF-8 by its name or its common misspelling. */
function isUtf8(charset: string | undefined): boolean {
  return charset === undefined || /^utf-?8$/i.test(charset);
}

/** Charsets of forms sent by common clients, in which a byte below 0x80 is ASCII. */
const ASCII_BASED = /^(?:us-ascii|ascii|latin1|iso-8859-[0-9]{1,2}|windows-125[0-9])$/i;

/** True where text of this charset is the same text in UTF-8. */
export function readsAsUtf8(charset: string | undefined, bytes: Uint8Array): boolean {
  return isUtf8(charset) || (ASCII_BASED.test(charset ?? '') && bytes.every((byte) => byte < 0x80));
}
