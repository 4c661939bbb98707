const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;

/**
 * The keys of a reference in OPA's notation below `data`: `data.a["b c"]` is `['a', 'b c']`. Undefined for any other: a key that is no string, an escape
 * that JSON does not have. Whoever asks must take that for a refusal.
 */
export function referencePath(reference: string): readonly string[] | undefined {
  if (!/^data(?=[.[]|$)/.test(reference)) return undefined;
  const path: string[] = [];
  for (let index = 'data'.length; index < reference.length;) {
    const key = keyAt(reference, index);
    if (key === undefined) return undefined;
    path.push(key.text);
    index = key.end;
  }
  return path;
}

function keyAt(reference: string, index: number): { readonly text: string; readonly end: number } | undefined {
  if (reference[index] === '.') {
    const word = matchAt(WORD, reference, index + 1);
    return word === undefined ? undefined : { text: word, end: index + 1 + word.length };
  }
  const string = reference[index] === '[' ? matchAt(STRING, reference, index + 1) : undefined;
  const end = index + 1 + (string?.length ?? 0);
  const text = string === undefined || reference[end] !== ']' ? undefined : unquoted(string);
  return text === undefined ? undefined : { text, end: end + 1 };
}

function matchAt(pattern: RegExp, text: string, index: number): string | undefined {
  pattern.lastIndex = index;
  return pattern.exec(text)?.[0];
}

/** Go quotes in its own way; what JSON reads too means the same there. */
function unquoted(string: string): string | undefined {
  try {
    return JSON.parse(string) as string;
  } catch {
    return undefined;
  }
}

/** True where one path is the other, or leads to it. */
export function overlap(a: readonly string[], b: readonly string[]): boolean {
  const length = Math.min(a.length, b.length);
  return a.slice(0, length).every((key, index) => b[index] === key);
}

/** True where `path` is `root` or below it. */
export function isWithin(path: readonly string[], root: readonly string[]): boolean {
  return path.length >= root.length && overlap(path, root);
}
