import type { Result } from '../kernel/result.ts';
import { err, ok } from '../kernel/result.ts';

/** The longest text that is read, in characters. */
export const MAX_PEM_LENGTH = 16 * 1024 * 1024;

/** The most blocks in one text. */
export const MAX_PEM_BLOCKS = 1024;

/** One block: `label` as in `-----BEGIN label-----`. */
export type PemBlock = { readonly label: string; readonly der: Uint8Array };

const BEGIN = /^-----BEGIN ([A-Z0-9 ]{1,64})-----$/;
const END = /^-----END ([A-Z0-9 ]{1,64})-----$/;

/**
 * Splits text into its PEM blocks (RFC 7468): at most 16 Mi characters and 1024 blocks, strict base64, text around blocks allowed, headers
 * inside them (old encrypted keys) not. The error has a line number and never what stands there, since it may be a key.
 */
export function pemBlocks(text: string): Result<readonly PemBlock[], string> {
  if (text.length > MAX_PEM_LENGTH) return err(`longer than ${MAX_PEM_LENGTH} characters`);
  const blocks: PemBlock[] = [];
  let open: { readonly label: string; readonly line: number; readonly base64: string[] } | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    const marker = line.startsWith('-----');
    if (open === undefined) {
      const label = marker ? BEGIN.exec(line)?.[1] : undefined;
      if (marker && label === undefined) return err(`line ${index + 1}: a marker that begins no block`);
      if (label !== undefined) open = { label, line: index + 1, base64: [] };
    } else if (!marker) {
      open.base64.push(line);
    } else {
      if (END.exec(line)?.[1] !== open.label)
        return err(`line ${index + 1}: not the end of the block of line ${open.line}`);
      const der = decode(open.base64.join(''));
      if (der === undefined) return err(`line ${open.line}: a block that is not plain base64`);
      if (blocks.length === MAX_PEM_BLOCKS) return err(`more than ${MAX_PEM_BLOCKS} blocks`);
      blocks.push({ label: open.label, der });
      open = undefined;
    }
  }
  return open === undefined ? ok(blocks) : err(`line ${open.line}: a block without end`);
}

/** One PEM block (RFC 7468 2: 64 characters a line) with its line end. */
export function encodePem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().replaceAll(/.{64}(?!$)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

function decode(base64: string): Uint8Array | undefined {
  if (base64 === '') return undefined;
  try {
    return Uint8Array.fromBase64(base64, { lastChunkHandling: 'strict' });
  } catch {
    return undefined;
  }
}
