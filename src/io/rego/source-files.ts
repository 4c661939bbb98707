/** A folder in bundle layout: path relative to its root, with `/`, to content. */
export type SourceFiles = Readonly<Record<string, string | Uint8Array>>;

/** Longest piece of a source line that a diagnostic shows, in UTF-16 code units. */
const LINE_LIMIT = 1000;

/** Is this file only for tests? `opa test` looks for this ending, and a build leaves such files out. */
export function isTestFile(path: string): boolean {
  return path.endsWith('_test.rego');
}

/** The files that a build is made of, as bytes: all but the tests. */
export function buildFiles(files: SourceFiles): Readonly<Record<string, Uint8Array>> {
  return encodeFiles(Object.fromEntries(Object.entries(files).filter(([path]) => !isTestFile(path))));
}

/** The files as bytes. */
export function encodeFiles(files: SourceFiles): Readonly<Record<string, Uint8Array>> {
  const encoder = new TextEncoder();
  return Object.fromEntries(
    Object.entries(files).map(([path, content]) => [
      path,
      typeof content === 'string' ? encoder.encode(content) : content,
    ]),
  );
}

/** Content as text; bytes that are not UTF-8 become U+FFFD. */
export function textOf(content: string | Uint8Array): string {
  return typeof content === 'string' ? content : new TextDecoder('utf-8', { ignoreBOM: true }).decode(content);
}

/** Line `row` (from 1) of `text` without its end, or undefined if there is none. Bounded in length. */
export function lineAt(text: string, row: number): string | undefined {
  const line = text.split('\n')[row - 1];
  return line?.replace(/\r$/, '').slice(0, LINE_LIMIT);
}

/** Row and column (characters, from 1) of the character that byte number `bytes` (from 1) of `content` belongs to. */
export function placeOfByte(content: Uint8Array, bytes: number): { readonly row: number; readonly col: number } {
  const before = new TextDecoder().decode(content.subarray(0, Math.max(bytes - 1, 0))).split('\n');
  return { row: before.length, col: lengthInCharacters(before.at(-1) ?? '') + 1 };
}

/** Number of Unicode code points, which is what OPA counts columns in. */
export function lengthInCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
