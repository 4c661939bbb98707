import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';

const decompress = promisify(brotliDecompress);

/** Where the compressed compiler lies: beside this file, in the sources as in the built package. */
export const artefactUrl: URL = new URL('./rego.wasm.br', import.meta.url);
/** Where the facts about it lie. */
export const factsUrl: URL = new URL('./rego.wasm.json', import.meta.url);

/** What the compiler was built from; written by `npm run rego:build`. */
export interface ArtefactFacts {
  readonly opa: string;
  readonly go: string;
  /** Of the raw module, lower-case hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  /** Of the Go sources, `go.mod` and `go.sum`, so that a stale artefact is found without Go. */
  readonly sourcesSha256: string;
}

/**
 * The raw compiler module, some 40 MB; about 0.15 s. It is decompressed into one piece: in the usual small ones it would pass
 * through the allocator's arenas, which never give all of that memory back.
 */
export async function readArtefact(): Promise<Uint8Array<ArrayBuffer>> {
  const { bytes } = await readArtefactFacts();
  const raw = await decompress(await readFile(artefactUrl), { chunkSize: bytes, maxOutputLength: bytes });
  return new Uint8Array(raw.buffer, raw.byteOffset, raw.length);
}

export async function readArtefactFacts(): Promise<ArtefactFacts> {
  return JSON.parse(await readFile(factsUrl, 'utf8')) as ArtefactFacts;
}
