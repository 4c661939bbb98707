import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';

import { fileOf, type ImageEntry } from './entry.ts';

/** A program with the libraries that its loader asks for, at the paths at which it looks for them, and the licences of their Debian packages. */
export function programWithLibraries(path: string, program: string): readonly ImageEntry[] {
  const libraries = librariesOf(program);
  const packages = [...libraries, program].map(debianPackage).filter((name) => name !== undefined);
  return [
    fileOf(path, realpathSync(program), 0o755),
    ...libraries.map((library) => fileOf(library, realpathSync(library), 0o755)),
    ...[...new Set(packages)].map(copyright).filter((each) => each !== undefined),
  ];
}

/** `ldd` prints `NAME => PATH (ADDRESS)`, and the loader itself as `PATH (ADDRESS)`. */
function librariesOf(program: string): readonly string[] {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  const missing = lines.filter((line) => line.includes('not found'));
  if (missing.length > 0) throw new Error(`${program} cannot be started here: ${missing.join('; ')}`);
  return lines.flatMap((line) => /(?:^|=> |\s)(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

function debianPackage(file: string): string | undefined {
  // Debian 12 lists what stands in /usr/lib by the path that it had before /lib became a link to it.
  for (const path of [file, realpathSync(file), realpathSync(file).replace(/^\/usr/, '')]) {
    try {
      return execFileSync('dpkg', ['-S', path], { encoding: 'utf8', stdio: 'pipe' }).split(':')[0];
    } catch {
      continue;
    }
  }
  return undefined;
}

function copyright(name: string): ImageEntry | undefined {
  const path = `/usr/share/doc/${name}/copyright`;
  return existsSync(path) ? fileOf(path, realpathSync(path)) : undefined;
}
