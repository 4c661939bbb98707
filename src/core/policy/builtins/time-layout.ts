/**
 * A field as Go's reference time shows it (Go, package time, "Constants": `2006` is the year, `_2` the day padded with a space), with the text before it.
 * Fractions of a second are `.000` or `.999`, with the number of digits and the sign before them.
 */
export type LayoutPart = {
  readonly text: string;
  readonly field: string;
  readonly digits: number;
  readonly sign: string;
};

/** A layout taken apart: fields with the text before each, and the text after the last. */
export type Layout = { readonly parts: readonly LayoutPart[]; readonly tail: string };

/** The layouts that OPA knows by name (documentation of `time.format`). */
const NAMED: ReadonlyMap<string, string> = new Map([
  ['ANSIC', 'Mon Jan _2 15:04:05 2006'],
  ['UnixDate', 'Mon Jan _2 15:04:05 MST 2006'],
  ['RubyDate', 'Mon Jan 02 15:04:05 -0700 2006'],
  ['RFC822', '02 Jan 06 15:04 MST'],
  ['RFC822Z', '02 Jan 06 15:04 -0700'],
  ['RFC850', 'Monday, 02-Jan-06 15:04:05 MST'],
  ['RFC1123', 'Mon, 02 Jan 2006 15:04:05 MST'],
  ['RFC1123Z', 'Mon, 02 Jan 2006 15:04:05 -0700'],
  ['RFC3339', '2006-01-02T15:04:05Z07:00'],
  ['RFC3339Nano', '2006-01-02T15:04:05.999999999Z07:00'],
]);

/** In Go's order of trying; `Jan` and `Mon` before a small letter are text, as in `Month`. */
const FIELD =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|0[1-6]|002|15|1|2006|2|_2(?!006)|__2|3|4|5|PM|pm|-070000|-07:00:00|-0700|-07:00|-07|Z070000|Z07:00:00|Z0700|Z07:00|Z07|[.,](?:0+|9+)(?![0-9])/g;

/** Takes a layout apart, or the one of that name. Any text is a layout. */
export function readLayout(name: string): Layout {
  const text = NAMED.get(name) ?? name;
  const parts: LayoutPart[] = [];
  let at = 0;
  for (const found of text.matchAll(FIELD)) {
    parts.push(partOf(text.slice(at, found.index), found[0]));
    at = found.index + found[0].length;
  }
  return { parts, tail: text.slice(at) };
}

function partOf(text: string, found: string): LayoutPart {
  const sign = found.charAt(0);
  if (sign !== '.' && sign !== ',') return { text, field: found, digits: 0, sign: '' };
  return { text, field: found.charAt(1) === '0' ? '.000' : '.999', digits: found.length - 1, sign };
}
