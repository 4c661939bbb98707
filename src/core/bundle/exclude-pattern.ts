/**
 * True where `pattern` matches the whole path, as Go's `path/filepath.Match`: `*` and `?` do not cross `/`, `[a-z]` and `[^a-z]` are classes, `\` takes
 * the next character as it is. A pattern that is malformed matches nothing, as in OPA.
 */
export function matchesPattern(pattern: string, path: string): boolean {
  const source = regExpOf(pattern);
  return source !== undefined && new RegExp(`^${source}$`, 'u').test(path);
}

const CLASS = /^\[(\^?)((?:\\[^]|[^\]\\])+)\]/u;

function regExpOf(pattern: string): string | undefined {
  let source = '';
  for (let rest = pattern; rest !== '';) {
    const set = CLASS.exec(rest);
    const [token = ''] = set ?? /^(?:\*+|\\[^]|[^])/u.exec(rest) ?? [];
    if (set === null && (token === '[' || token === '\\')) return undefined;
    const piece = set === null ? plain(token) : classOf(set[1] ?? '', set[2] ?? '');
    if (piece === undefined) return undefined;
    source += piece;
    rest = rest.slice(token.length);
  }
  return source;
}

function plain(token: string): string {
  if (token.startsWith('*')) return '[^/]*';
  if (token === '?') return '[^/]';
  return escaped(token.startsWith('\\') ? token.slice(1) : token);
}

/** A class of single characters and ranges `a-z`; one whose bounds are the wrong way round is malformed. */
function classOf(negation: string, content: string): string | undefined {
  const characters = Array.from(content.matchAll(/\\([^])|([^])/gu), ([, quoted, bare]) => ({
    char: quoted ?? bare ?? '',
    isDash: bare === '-',
  }));
  let source = '';
  for (let index = 0; index < characters.length; index++) {
    const { char: low = '', isDash } = characters[index] ?? {};
    if (isDash === true) return undefined;
    const isRange = characters[index + 1]?.isDash === true;
    const high = isRange ? characters[index + 2]?.char : low;
    if (high === undefined || (high.codePointAt(0) ?? 0) < (low.codePointAt(0) ?? 0)) return undefined;
    source += `${escaped(low)}-${escaped(high)}`;
    if (isRange) index += 2;
  }
  return `[${negation}${source}]`;
}

function escaped(char: string): string {
  return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
}
