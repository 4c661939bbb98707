import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import type { PathTolerance } from '../model/limits.ts';
import { hexByte, PCHAR, UNRESERVED } from './characters.ts';

const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const SEMICOLON = 0x3b;
const DOT = 0x2e;

// What is known of the segment under way, read as the most eager reader would: decoded, and cut at the first `;`.
const EMPTY = 0;
const ONE_DOT = 1;
const TWO_DOTS = 2;
const NAME = 3;

/**
 * Checks a path (from its leading slash, without query) for anything that two readers could read differently. Fault: `path_ambiguous`.
 *
 * Refused always: raw bytes outside RFC 3986 pchar (back-slash and non-ASCII among them), bad percent-encoding, encoded controls (`%00`,
 * `%0a`), octets that are no UTF-8 (overlong slashes among them), encoded unreserved characters (`%61` is a second spelling of `a`, RFC 3986
 * 6.2.2.2), twice-encoded octets (`%252f`), and dot segments in every spelling: `.`, `..`, `%2e%2e`, `..;x`, `a%2f..%2fb`.
 * Refused unless tolerated: `%2f` and `%5c` (encodedSlashes), `//` (doubleSlashes), `;` and `%3b` (matrixParameters).
 */
export function checkPath(path: string, tolerance: PathTolerance): Fault | undefined {
  const scan = new PathScan(tolerance);
  for (let i = 1; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === PERCENT) {
      scan.encoded(path, i);
      i += 2;
    } else if (code === SLASH) scan.separator();
    else if (PCHAR[code] === 1) scan.character(code);
    else scan.refuse('a byte that must be percent-encoded');
    if (scan.problem !== undefined) break;
  }
  scan.end(path);
  return scan.problem === undefined ? undefined : fault('path_ambiguous', scan.problem);
}

class PathScan {
  problem: string | undefined = undefined;
  readonly #tolerance: PathTolerance;
  #segment = EMPTY;
  #cut = false;
  #beyondAscii = false;

  constructor(tolerance: PathTolerance) {
    this.#tolerance = tolerance;
  }

  refuse(problem: string): void {
    this.problem ??= problem;
  }

  character(code: number): void {
    if (code === SEMICOLON) this.#matrix();
    else if (this.#cut) return;
    else if (code === DOT && this.#segment < TWO_DOTS) this.#segment = this.#segment === EMPTY ? ONE_DOT : TWO_DOTS;
    else this.#segment = NAME;
  }

  separator(): void {
    this.#endSegment();
    if (this.#segment === EMPTY && !this.#tolerance.doubleSlashes) this.refuse('a double slash');
    this.#segment = EMPTY;
    this.#cut = false;
  }

  encoded(path: string, at: number): void {
    const byte = hexByte(path, at + 1);
    if (byte < 0) return this.refuse('a percent sign without two hexadecimal digits');
    if (byte < 0x20 || byte === 0x7f) return this.refuse('an encoded control character');
    if (byte === SLASH || byte === BACKSLASH) {
      if (!this.#tolerance.encodedSlashes) return this.refuse('an encoded slash or back-slash');
      return this.separator();
    }
    // A dot is told apart from other unreserved characters only for the sake of the operator who reads the record.
    if (byte === DOT) return this.refuse('an encoded dot');
    if (UNRESERVED[byte] === 1) return this.refuse('an encoded character that needs no encoding');
    if (byte === PERCENT && hexByte(path, at + 3) >= 0) return this.refuse('a twice-encoded octet');
    if (byte >= 0x80) this.#beyondAscii = true;
    this.character(byte);
  }

  end(path: string): void {
    if (this.problem !== undefined) return;
    this.#endSegment();
    if (this.#beyondAscii && !decodes(path)) this.refuse('encoded octets that are no UTF-8');
  }

  #matrix(): void {
    if (!this.#tolerance.matrixParameters) this.refuse('a matrix parameter');
    this.#cut = true;
  }

  #endSegment(): void {
    if (this.#segment === ONE_DOT || this.#segment === TWO_DOTS) this.refuse('a dot segment');
  }
}

function decodes(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
