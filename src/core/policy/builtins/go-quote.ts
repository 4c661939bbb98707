const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\u0007', String.raw`\a`],
  ['\b', String.raw`\b`],
  ['\f', String.raw`\f`],
  ['\n', String.raw`\n`],
  ['\r', String.raw`\r`],
  ['\t', String.raw`\t`],
  ['\v', String.raw`\v`],
  ['"', String.raw`\"`],
  ['\\', String.raw`\\`],
]);
/** Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space; by the Unicode version of the JavaScript engine. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const NOT_BACKQUOTABLE = /[\u0000-\u0008\u000a-\u001f\u007f`\ufeff]/;

/** Go's `strconv.Quote`; with `ascii`, `strconv.QuoteToASCII`. */
export function goQuote(text: string, ascii = false): string {
  let quoted = '"';
  for (const char of text) quoted += ESCAPES.get(char) ?? (isPlain(char, ascii) ? char : escaped(char));
  return `${quoted}"`;
}

/** Go's `strconv.CanBackquote`. */
export function canBackquote(text: string): boolean {
  return !NOT_BACKQUOTABLE.test(text);
}

function isPlain(char: string, ascii: boolean): boolean {
  return (!ascii || char < '\u007f') && PRINTABLE.test(char);
}

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code < 0x20 || code === 0x7f) return `\\x${digits.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`;
}
