/** Keys and indices from the root to a value. */
export type ConfigPath = readonly (string | number)[];

/** One thing that is wrong with a configuration. Never holds the value of an environment variable. */
export type ConfigMistake = {
  /** For example `inbound[0].upstream`; empty for the file as a whole. */
  readonly path: string;
  /** What would have been right, as a noun phrase. */
  readonly expected: string;
  /** What stands there, as it was written; `nothing` where a key is missing. */
  readonly found: string;
  /** Where, both from 1: the value, the unknown key, or the map that lacks the key. */
  readonly line: number;
  readonly column: number;
  /** What the writer may have meant, or how to say that it is wanted all the same. */
  readonly hint?: string;
};

/** A mistake before its place is known. `found` is left to the text that stands at `path` where undefined. */
export type Finding = {
  readonly path: ConfigPath;
  readonly expected: string;
  readonly found?: string;
  readonly hint?: string;
};

/** Path as text: `a.b[0]`, keys that are no plain words in brackets and quotes: `trustBundles["example.org"]`. */
export function formatPath(path: ConfigPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** True where a secret may stand: it is shown nowhere, however wrong it is. */
export function isSecret(path: ConfigPath): boolean {
  return path.at(-1) === 'token' || path.at(-1) === 'secret';
}

/** One line for people: `FILE:LINE:COLUMN: PATH: expected …, found … (hint)`. */
export function formatMistake(file: string, mistake: ConfigMistake): string {
  const where = `${file}:${mistake.line}:${mistake.column}`;
  const path = mistake.path === '' ? '' : `${mistake.path}: `;
  const hint = mistake.hint === undefined ? '' : ` (${mistake.hint})`;
  return `${where}: ${path}expected ${mistake.expected}, found ${mistake.found}${hint}`;
}
