import { readFileSync } from 'node:fs';

/** As far from here in the sources as in the built package. */
const MANIFEST = new URL('../../package.json', import.meta.url);

/** The version of Sallyport that this is. */
export function ownVersion(): string {
  return (JSON.parse(readFileSync(MANIFEST, 'utf8')) as { readonly version: string }).version;
}
