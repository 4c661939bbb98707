import { readFile } from 'node:fs/promises';

/** As far from here in the sources as in the built package. */
const MANIFEST = new URL('../../package.json', import.meta.url);

/** The version of Sallyport that this is. */
export async function ownVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(MANIFEST, 'utf8')) as { readonly version: string };
  return version;
}
