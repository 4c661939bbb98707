import { readSeal } from './chain.ts';
import { readNotice } from './notice.ts';

/** Why a chain does not hold. `malformed`: no sealed line. `changed`: its hash is not of this text. `order`: it does not follow the line before. */
export type BrokenChain = {
  readonly kind: 'broken';
  /** Counted from 1 over everything pushed. */
  readonly line: number;
  readonly why: 'malformed' | 'changed' | 'order';
};

/** What a sound chain holds. What was cut off at either end cannot be seen: compare `first` and `last` with what is known from elsewhere. */
export type SoundChain = {
  readonly kind: 'sound';
  readonly lines: number;
  readonly records: number;
  /** Records that a `lost` notice declares missing. */
  readonly lost: number;
  /** Seams where one process or file ended and another began. */
  readonly joined: number;
  /** Lines cut short by a crash or a failing disk. */
  readonly torn: number;
  /** True when the last line has no line end and is incomplete: the writer died there, or is still writing. */
  readonly unfinished: boolean;
  /** `prev` of the first line, and `hash` of the last: what the file before and after must fit to. Undefined for an empty log. */
  readonly first: string | undefined;
  readonly last: string | undefined;
};

/** Checks lines as they come, in constant memory. Several files of one log are pushed one after the other. */
export interface ChainVerifier {
  /** Takes one line, as bytes without its line end. Returns what is broken, and the same for every call after that. */
  push(line: Uint8Array): BrokenChain | undefined;
  /** The verdict. `rest`: the bytes after the last line end, if there are any. */
  end(rest?: Uint8Array): BrokenChain | SoundChain;
}

/** Starts a check. With `from`, the first line must follow the line with that hash. */
export function createChainVerifier(from?: string): ChainVerifier {
  return new Verifier(from);
}

class Verifier implements ChainVerifier {
  #expected: string | undefined;
  #broken: BrokenChain | undefined;
  /** Number of a line that may be a torn one: the next line must say so. */
  #suspect: number | undefined;
  #lines = 0;
  #records = 0;
  #lost = 0;
  #joined = 0;
  #torn = 0;
  #first: string | undefined;
  #last: string | undefined;

  constructor(from: string | undefined) {
    this.#expected = from;
  }

  push(line: Uint8Array): BrokenChain | undefined {
    if (this.#broken !== undefined) return this.#broken;
    this.#lines += 1;
    const seal = readSeal(line);
    if (seal === undefined) return this.#suspected();
    if (!seal.intact) return this.#breaks(this.#lines, 'changed');
    const found = readNotice(line);
    if (this.#suspect !== undefined && found?.notice.kind !== 'torn') return this.#breaks(this.#suspect, 'malformed');
    if (this.#expected !== undefined && seal.prev !== this.#expected) return this.#breaks(this.#lines, 'order');
    this.#suspect = undefined;
    this.#first ??= seal.prev;
    this.#last = seal.hash;
    this.#expected = found?.seam.next ?? seal.hash;
    this.#count(found?.notice);
    return undefined;
  }

  end(rest?: Uint8Array): BrokenChain | SoundChain {
    const hasRest = rest !== undefined && rest.length > 0;
    const unfinished = hasRest && readSeal(rest) === undefined;
    if (hasRest && !unfinished) this.push(rest);
    if (this.#suspect !== undefined) this.#breaks(this.#suspect, 'malformed');
    if (this.#broken !== undefined) return this.#broken;
    const counts = { records: this.#records, lost: this.#lost, joined: this.#joined, torn: this.#torn };
    return { kind: 'sound', lines: this.#lines, ...counts, unfinished, first: this.#first, last: this.#last };
  }

  #count(notice: { readonly kind: string; readonly records?: number } | undefined): void {
    if (notice === undefined) this.#records += 1;
    else if (notice.kind === 'lost') this.#lost += notice.records ?? 0;
    else if (notice.kind === 'joined') this.#joined += 1;
    else this.#torn += 1;
  }

  #suspected(): BrokenChain | undefined {
    if (this.#suspect !== undefined) return this.#breaks(this.#suspect, 'malformed');
    this.#suspect = this.#lines;
    return undefined;
  }

  #breaks(line: number, why: BrokenChain['why']): BrokenChain {
    this.#broken = { kind: 'broken', line, why };
    return this.#broken;
  }
}
