import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { reasonOf } from '../../io/sources/problem.ts';
import { EXIT } from '../exit-codes.ts';
import { inert } from '../terminal.ts';

import type { PolicyNewOptions } from '../define-policy.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

const LIBRARY = new URL('../../../policies/', import.meta.url);
const STARTER = new URL('starter/', LIBRARY);

/** Files to write, by path below the new folder. */
type NewFiles = ReadonlyMap<string, string>;

/** `sallyport policy new`: a small fleet as data, examples of what it allows as tests, and the library that decides. */
export async function policyNew(folder: string, options: PolicyNewOptions, terminal: Terminal): Promise<ExitCode> {
  const files = await starterFiles();
  try {
    const taken = await entriesOf(folder);
    const clash = [...files.keys()].find((path) => taken.has(path.split('/')[0] ?? path));
    if (taken.size > 0 && (options.force !== true || clash !== undefined)) {
      const why =
        clash === undefined
          ? 'is not empty; --force writes beside what is there'
          : `has ${clash} already, and nothing is replaced; name another folder`;
      terminal.err(`${inert(folder)}: ${why}`);
      return EXIT.wrongUse;
    }
    await mkdir(join(folder, 'sallyport'), { recursive: true });
    for (const [path, text] of files) await writeFile(join(folder, path), text, { flag: 'wx' });
  } catch (error) {
    terminal.err(`${inert(folder)}: ${inert(reasonOf(error))}`);
    return EXIT.outside;
  }
  for (const line of next(inert(folder))) terminal.out(line);
  return EXIT.done;
}

async function entriesOf(folder: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await readdir(folder));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Set();
    throw error;
  }
}

/** The starter at the top, the library without its own tests in a folder of its own. */
async function starterFiles(): Promise<NewFiles> {
  const files = new Map<string, string>([['README.md', README]]);
  for (const name of await readdir(STARTER)) {
    if (name !== 'README.md') files.set(name, await readFile(new URL(name, STARTER), 'utf8'));
  }
  for (const name of await readdir(LIBRARY)) {
    if (name.endsWith('.rego') && !name.endsWith('_test.rego'))
      files.set(`sallyport/${name}`, await readFile(new URL(name, LIBRARY), 'utf8'));
  }
  return files;
}

function next(folder: string): readonly string[] {
  return [
    `${folder}: a policy with tests. Next:`,
    `  sallyport policy test ${folder}    run its tests, in OPA's interpreter and as a sidecar does`,
    `  sallyport policy check ${folder}   find mistakes, also in what is read of the input`,
    `  sallyport policy build ${folder}   make a bundle; or name the folder as policy.bundle of a sidecar`,
  ];
}

const README = `# A policy for Sallyport

- \`data.json\`: which agents are in which segments, what each segment can be asked for, and who may ask. Begin here.
- \`fleet_test.rego\`: examples of what that allows and what it must never allow.
- \`sallyport/\`: the library that decides. Your own rules go beside it; ask another rule with \`policy.decision\` of the configuration.

\`\`\`
sallyport policy test .
sallyport policy check .
sallyport policy build . --output policy.tar.gz
\`\`\`
`;
