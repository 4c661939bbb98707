import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** One import as written: who imports what, where, and whether it is erased at run time. */
export type Import = { readonly from: string; readonly to: string; readonly line: number; readonly typeOnly: boolean };

/** A source file with its imports; `path` is relative to the root that was read, with forward slashes. */
export type SourceFile = { readonly path: string; readonly text: string; readonly imports: readonly Import[] };

const STATIC = /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)/g;

/** Reads all TypeScript and JavaScript below `root` and the imports in it: relative ones as paths below `root`, others as they are. */
export function readSources(root: string): readonly SourceFile[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|js)$/.test(name) && !name.includes('node_modules'))
    .map((name) => sourceFile(root, name.replaceAll('\\', '/')));
}

function sourceFile(root: string, path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  return { path, text, imports: importsOf(root, path, text) };
}

/** The imports of one file's text; exported so that the architecture test can show that a broken rule is found. */
export function importsOf(root: string, path: string, text: string): readonly Import[] {
  const found: Import[] = [];
  const add = (target: string, index: number, typeOnly: boolean): void => {
    const to = target.startsWith('.')
      ? relative(root, resolve(root, dirname(path), target)).replaceAll('\\', '/')
      : target;
    found.push({ from: path, to, line: text.slice(0, index).split('\n').length, typeOnly });
  };
  for (const match of text.matchAll(STATIC)) add(match[2] as string, match.index, match[1] !== undefined);
  for (const match of text.matchAll(DYNAMIC)) add(match[1] as string, match.index, false);
  return found;
}
