import { GENESIS, readSeal } from './chain.ts';
import { readNotice, type Notice } from './notice.ts';

/** Why a chain does not hold. `malformed`: no sealed line. `changed`: its hash is not of this text. `order`: it does not follow the line before. */
export type BrokenChain = {
  readonly kind: 'broken';
  /** Counted from 1 over everything pushed. */
  readonly line: number;
  readonly why: 'malformed' | 'changed' | 'order';
};

/** What a sound log holds. What was cut off at either end cannot be seen: compare `first` and `last` with what is known from elsewhere. */
export type SoundChain = {
  readonly kind: 'sound';
  readonly lines: number;
  readonly records: number;
  /** Records that `lost` and `withheld` notices declare missing. */
  readonly lost: number;
  /** Seams at which one chain was continued by another within a file. */
  readonly joined: number;
  /** Lines cut short by a crash or a failing disk, and declared so. */
  readonly torn: number;
  /** Files after the first that begin a new chain: the process had started with an empty file. */
  readonly restarts: number;
  /** Files that end within a line: the writer died there, or is still writing, or could not go on in that file. */
  readonly unfinished: number;
  /** `prev` of the first line, and what the `prev` of the next line must be. Undefined for an empty log. */
  readonly first: string | undefined;
  readonly last: string | undefined;
};

/** Checks lines as they come, in constant memory. */
export interface ChainVerifier {
  /** Lines taken so far. */
  readonly lines: number;
  /** Takes one line, as bytes without its line end. Returns what is broken, and the same for every call after that. */
  push(line: Uint8Array): BrokenChain | undefined;
  /** Ends a file; the next one, if any, must continue it. `rest`: the bytes after its last line end. */
  endFile(rest: Uint8Array): BrokenChain | undefined;
  /** The verdict, after `endFile`. */
  verdict(): BrokenChain | SoundChain;
}

/** Starts a check. With `from`, the first line must follow the line with that hash. */
export function createChainVerifier(from?: string): ChainVerifier {
  return new Verifier(from);
}

class Verifier implements ChainVerifier {
  #expected: string | undefined;
  #broken: BrokenChain | undefined;
  /** The first of some lines that may be torn ones: the next sound line must say so. */
  #suspect: number | undefined;
  #suspects = 0;
  #betweenFiles = false;
  #first: string | undefined;
  #counts = { lines: 0, records: 0, lost: 0, joined: 0, torn: 0, restarts: 0, unfinished: 0 };

  constructor(from: string | undefined) {
    this.#expected = from;
  }

  get lines(): number {
    return this.#counts.lines;
  }

  push(line: Uint8Array): BrokenChain | undefined {
    if (this.#broken !== undefined) return this.#broken;
    this.#counts.lines += 1;
    const seal = readSeal(line);
    if (seal === undefined) {
      this.#suspect ??= this.#counts.lines;
      this.#suspects += 1;
      return undefined;
    }
    if (!seal.intact) return this.#breaks(this.#counts.lines, 'changed');
    const found = readNotice(line);
    if (this.#suspect !== undefined && found?.notice.kind !== 'torn') return this.#breaks(this.#suspect, 'malformed');
    if (!this.#follows(seal.prev)) return this.#breaks(this.#counts.lines, 'order');
    this.#first ??= seal.prev;
    this.#expected = found?.seam.next ?? seal.hash;
    this.#count(found?.notice);
    return undefined;
  }

  endFile(rest: Uint8Array): BrokenChain | undefined {
    if (rest.length > 0) {
      if (readSeal(rest) === undefined) this.#counts.unfinished += 1;
      else this.push(rest);
    }
    if (this.#broken === undefined && this.#suspect !== undefined) this.#breaks(this.#suspect, 'malformed');
    this.#betweenFiles = this.#first !== undefined;
    return this.#broken;
  }

  verdict(): BrokenChain | SoundChain {
    const last = this.#first === undefined ? undefined : this.#expected;
    return this.#broken ?? { kind: 'sound', ...this.#counts, first: this.#first, last };
  }

  #follows(prev: string): boolean {
    const isFirstOfFile = this.#betweenFiles;
    this.#betweenFiles = false;
    if (this.#expected === undefined || prev === this.#expected) return true;
    if (!isFirstOfFile || prev !== GENESIS) return false;
    this.#counts.restarts += 1;
    return true;
  }

  #count(notice: Notice | undefined): void {
    this.#counts.torn += this.#suspects;
    this.#suspects = 0;
    this.#suspect = undefined;
    if (notice === undefined) this.#counts.records += 1;
    else if (notice.kind === 'lost') this.#counts.lost += notice.records;
    else if (notice.kind === 'withheld') this.#counts.lost += 1;
    else if (notice.kind === 'joined') this.#counts.joined += 1;
  }

  #breaks(line: number, why: BrokenChain['why']): BrokenChain {
    this.#broken = { kind: 'broken', line, why };
    return this.#broken;
  }
}
