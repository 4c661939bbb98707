import { BuiltinError, stringArg } from '../builtin.ts';
import type { Builtin } from '../builtin.ts';
import { bool, str } from '../term.ts';
import type { Term } from '../term.ts';
import { parseUrl } from './go-url.ts';

/** A port as Go's `URL.Port` finds it. */
const HOST_AND_PORT = /^([^]*?)(?::([0-9]*))?$/;

/** `uri.parse`: the parts that there are. `raw_path` is there with `path`: as it was written, or the same where that is the usual way to escape it. */
function parse(args: readonly Term[]): Term {
  const { scheme, host, path, rawPath, rawQuery, fragment } = parseUrl(stringArg(args, 0));
  const [, name = '', port = ''] = HOST_AND_PORT.exec(host) ?? [];
  const hostname = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name;
  const parts = {
    scheme,
    hostname,
    port,
    path,
    raw_path: rawPath === '' ? path : rawPath,
    raw_query: rawQuery,
    fragment,
  };
  const entries = Object.entries(parts).flatMap(([key, value]) =>
    value === '' ? [] : [[str(key), str(value)] as const],
  );
  return { kind: 'object', entries };
}

/** `uri.is_valid`: what `uri.parse` takes, but for the empty text. */
function isValid(text: Term | undefined): boolean {
  if (text?.kind !== 'string' || text.value === '') return false;
  try {
    return parseUrl(text.value).scheme.length >= 0;
  } catch (problem) {
    if (problem instanceof BuiltinError) return false;
    throw problem;
  }
}

/** URIs, as Go's `net/url` reads them. */
export const URI_BUILTINS: Readonly<Record<string, Builtin>> = {
  'uri.parse': { arity: 1, call: parse },
  'uri.is_valid': { arity: 1, call: ([text]) => bool(isValid(text)) },
};
