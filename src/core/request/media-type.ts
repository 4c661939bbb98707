import { isToken } from './characters.ts';

/** Parameters of a media type or content disposition, names in lower case. */
export type FieldParameters = { readonly value: string; readonly parameters: ReadonlyMap<string, string> };

/** More than this serve no purpose but ours to be busy. */
const MAX_PARAMETERS = 16;

/**
 * Reads `value; name=token; name="quoted"` (RFC 9110 section 5.6.6): the value in lower case and its parameters, or undefined where it is
 * malformed or a parameter is there twice. Names with `*` (RFC 8187) are kept as they are, not decoded.
 */
export function readParameters(text: string): FieldParameters | undefined {
  const semicolon = text.indexOf(';');
  const value = (semicolon < 0 ? text : text.slice(0, semicolon)).trim().toLowerCase();
  const parameters = new Map<string, string>();
  let at = semicolon < 0 ? text.length : semicolon;
  while (at < text.length) {
    PARAMETER.lastIndex = at;
    const found = PARAMETER.exec(text);
    if (found === null) return undefined;
    at = PARAMETER.lastIndex;
    const [, name = '', quoted, token] = found;
    if (name === '') continue;
    if (parameters.has(name.toLowerCase()) || parameters.size >= MAX_PARAMETERS) return undefined;
    parameters.set(name.toLowerCase(), quoted === undefined ? (token ?? '') : quoted.replaceAll(/\\(.)/g, '$1'));
  }
  return value.split('/').every(isToken) ? { value, parameters } : undefined;
}

/** One `; name=value`, or an empty one. No two parts of it can match the same character, so it cannot backtrack far. */
const PARAMETER =
  /;[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\\r\n]|\\[^\r\n])*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))[ \t]*)?(?=;|$)/y;
