/**
 * Characters that JSON lets stand unescaped and that a terminal, an editor or a line-based tool may act on: the C1 controls (an 8-bit CSI
 * is one of them), line and paragraph separators, and those that change the direction of text. All are in the basic plane.
 */
const ACTIVE = /[\u0080-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Escapes `ACTIVE` characters in JSON text. They can stand inside strings only, so the text means the same afterwards. */
export function inert(json: string): string {
  return json.replace(ACTIVE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Text that is its own JSON between quotes: printable ASCII but for the quote and the backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** A JSON string that no log viewer acts on; at most `limit` UTF-16 units of `text` are kept. Never a raw line end. */
export function quote(text: string, limit = 2_048): string {
  const kept = text.length > limit ? text.slice(0, limit) : text;
  return PLAIN.test(kept) ? `"${kept}"` : inert(JSON.stringify(kept));
}

/** Makes inert JSON of a value, or undefined where the value has no JSON (none at all, nested too deep) or its JSON is longer than the limit. */
export type BoundedJson = (value: unknown) => string | undefined;

/** A `BoundedJson` for at most `limitBytes` of UTF-8. */
export function boundedJson(limitBytes: number): BoundedJson {
  const encoder = new TextEncoder();
  const scratch = new Uint8Array(limitBytes);
  return (value) => {
    const json = jsonOf(value, JSON.stringify);
    if (json === undefined || json.length > limitBytes) return undefined;
    // Mostly ASCII, which holds nothing to escape; finding that out by its length costs a tenth of searching it.
    if (encoder.encodeInto(json, scratch).written === json.length) return json;
    const safe = inert(json);
    return encoder.encodeInto(safe, scratch).read === safe.length ? safe : undefined;
  };
}

/** Most bytes of UTF-8 that a UTF-16 unit of text becomes. */
const BYTES_A_UNIT = 3;

/** A `BoundedJson` for at most `limitBytes` of UTF-8, of values whose inert JSON `write` gives. */
export function boundedInertJson<V>(limitBytes: number, write: (value: V) => string): (value: V) => string | undefined {
  return (value) => {
    const json = jsonOf(value, write);
    if (json === undefined || json.length * BYTES_A_UNIT <= limitBytes) return json;
    return json.length <= limitBytes && Buffer.byteLength(json) <= limitBytes ? json : undefined;
  };
}

function jsonOf<V>(value: V, write: (value: V) => string | undefined): string | undefined {
  try {
    return write(value);
  } catch {
    return undefined;
  }
}
