import { styleText } from 'node:util';

import type { WriteStream } from 'node:tty';
import type { Environment } from '../core/config/expansion.ts';

/** The emphasis that output uses. */
export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

/** Where a command speaks to. Tests hand in one that remembers. */
export interface Terminal {
  readonly env: Environment;
  /** Writes data: one line, with its line end added. */
  out(line: string): void;
  /** Writes progress and what is wrong: one line to stderr. */
  err(line: string): void;
  /** Emphasis on stdout or stderr; plain text where that is no terminal, or NO_COLOR is set. */
  style(stream: 'out' | 'err', style: Style, text: string): string;
}

/** The terminal of this process. */
export function createTerminal(): Terminal {
  // A reader that went away (`sallyport log show FILE | head`) wants no more, and is nobody's fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 3));
  return {
    env: process.env,
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    style: (stream, style, text) => {
      const isPlain = !isColourful(stream === 'out' ? process.stdout : process.stderr);
      return isPlain ? text : styleText(style, text, { validateStream: false });
    },
  };
}

/** True for a terminal that has colours; NO_COLOR and its like are heard, FORCE_COLOR is not: a pipe never gets colour. */
function isColourful(stream: WriteStream): boolean {
  return stream.isTTY && stream.hasColors();
}

/**
 * Text from elsewhere, made safe to show: control characters, escape sequences among them, and the characters that turn the direction of text
 * (Unicode UAX #9) become `\u{…}`.
 */
export function inert(text: string): string {
  return text.replaceAll(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (char) => {
    return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
  });
}
