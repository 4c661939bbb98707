/** One piece of a pattern: any run of characters but `/`, or a test of one character. */
type Piece = 'star' | ((char: string) => boolean);

/**
 * True where `pattern` matches the whole path, as Go's `path/filepath.Match`: `*` and `?` do not cross `/`, `[a-z]` and `[^a-z]` are classes, `\` takes
 * the next character as it is. A pattern that is malformed matches nothing, as in OPA. Takes at most the product of both lengths: the path is the bundle's.
 */
export function matchesPattern(pattern: string, path: string): boolean {
  const pieces = piecesOf(pattern);
  return pieces !== undefined && matches(pieces, Array.from(path));
}

/** Goes back to the last star only: what an earlier one could take, the last one can too. */
function matches(pieces: readonly Piece[], path: readonly string[]): boolean {
  let [at, piece] = [0, 0];
  let star: { readonly piece: number; at: number } | undefined;
  while (at < path.length || piece < pieces.length) {
    const next = pieces[piece];
    const char = path[at];
    if (next === 'star') {
      star = { piece, at };
      piece += 1;
    } else if (next !== undefined && char !== undefined && next(char)) {
      piece += 1;
      at += 1;
    } else if (star !== undefined && star.at < path.length && path[star.at] !== '/') {
      star.at += 1;
      at = star.at;
      piece = star.piece + 1;
    } else return false;
  }
  return true;
}

const CLASS = /^\[(\^?)((?:\\[^]|[^\]\\])+)\]/u;

function piecesOf(pattern: string): readonly Piece[] | undefined {
  const pieces: Piece[] = [];
  for (let rest = pattern; rest !== '';) {
    const set = CLASS.exec(rest);
    const [token = ''] = set ?? /^(?:\*+|\\[^]|[^])/u.exec(rest) ?? [];
    if (set === null && (token === '[' || token === '\\')) return undefined;
    const piece = set === null ? plain(token) : classOf(set[1] === '^', set[2] ?? '');
    if (piece === undefined) return undefined;
    pieces.push(piece);
    rest = rest.slice(token.length);
  }
  return pieces;
}

function plain(token: string): Piece {
  if (token.startsWith('*')) return 'star';
  if (token === '?') return (char) => char !== '/';
  const literal = token.startsWith('\\') ? token.slice(1) : token;
  return (char) => char === literal;
}

/** A class of single characters and ranges `a-z`; one whose bounds are the wrong way round is malformed. */
function classOf(isNegated: boolean, content: string): Piece | undefined {
  const characters = Array.from(content.matchAll(/\\([^])|([^])/gu), ([, quoted, bare]) => ({
    code: codeOf(quoted ?? bare ?? ''),
    isDash: bare === '-',
  }));
  const ranges: (readonly [number, number])[] = [];
  for (let index = 0; index < characters.length; index++) {
    const { code: low = 0, isDash } = characters[index] ?? {};
    const isRange = characters[index + 1]?.isDash === true;
    const high = isRange ? characters[index + 2]?.code : low;
    if (isDash === true || high === undefined || high < low) return undefined;
    ranges.push([low, high]);
    if (isRange) index += 2;
  }
  return (char) => ranges.some(([low, high]) => codeOf(char) >= low && codeOf(char) <= high) !== isNegated;
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}
