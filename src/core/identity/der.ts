/** Universal tags that X.509 uses (X.680 8.6), as they stand in an identifier octet. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of `[number]` over a primitive type (X.690 8.1.2). */
export function primitiveTag(number: number): number {
  return 0x80 | number;
}

/** Identifier octet of `[number]` over a constructed type, or of explicit tagging. */
export function constructedTag(number: number): number {
  return 0xa0 | number;
}

/** The first thing that was wrong, shared by a reader and the readers of its parts. */
type Trouble = { message: string | undefined };

const NOTHING = new Uint8Array(0);

/**
 * Reads DER (X.690 sections 8 and 10) element by element. It never throws: the first mistake is kept, from then on every read gives
 * an empty value and `atEnd` is true, so that loops end. Whoever starts a reader looks at `failure` once, at the end.
 * It copies nothing: what it hands out are views of the bytes it was given.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #trouble: Trouble;
  readonly #end: number;
  #position: number;
  /** Range of the contents that `#step` went over last. */
  #from = 0;
  #to = 0;

  constructor(bytes: Uint8Array, trouble: Trouble = { message: undefined }, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#trouble = trouble;
    this.#position = start;
    this.#end = end;
  }

  /** A reader of other bytes, `bytes` being a part of what this one reads: a mistake found by either is a mistake of both. */
  over(bytes: Uint8Array): DerReader {
    return new DerReader(bytes, this.#trouble);
  }

  /** What was wrong, or undefined. */
  get failure(): string | undefined {
    return this.#trouble.message;
  }

  /** True when nothing is left, and always after a failure. */
  get atEnd(): boolean {
    return this.#position >= this.#end || this.#trouble.message !== undefined;
  }

  /** Tag of the next element, or -1 where there is none. */
  get nextTag(): number {
    return this.atEnd ? -1 : (this.#bytes[this.#position] ?? -1);
  }

  /** Records a mistake; the first one stays. */
  fail(message: string): void {
    this.#trouble.message ??= message;
  }

  /** A reader of the contents of the next element, which must have `tag`. */
  enter(tag: number, what: string): DerReader {
    this.#step(tag, what);
    return new DerReader(this.#bytes, this.#trouble, this.#from, this.#to);
  }

  /** As `enter` if the next element has `tag`; undefined, with nothing read, otherwise. */
  enterIf(tag: number, what: string): DerReader | undefined {
    return this.nextTag === tag ? this.enter(tag, what) : undefined;
  }

  /** The content octets of the next element, which must have `tag`. */
  content(tag: number, what: string): Uint8Array {
    this.#step(tag, what);
    return this.#bytes.subarray(this.#from, this.#to);
  }

  /** The next element whole, identifier and length octets included. */
  whole(tag: number, what: string): Uint8Array {
    const start = this.#position;
    this.#step(tag, what);
    return this.failure === undefined ? this.#bytes.subarray(start, this.#to) : NOTHING;
  }

  /** Nothing may be left: bytes after the last element are a mistake. */
  close(what: string): void {
    if (!this.atEnd) this.fail(`${what}: something follows that does not belong there`);
  }

  /** Goes over one element; `#from` and `#to` are then the range of its contents, an empty one after a failure. */
  #step(tag: number, what: string): void {
    const length = this.#header(tag, what);
    if (this.failure === undefined && length > this.#end - this.#from) this.fail(`${what}: longer than what holds it`);
    if (this.failure === undefined) {
      this.#to = this.#from + length;
      this.#position = this.#to;
    } else {
      this.#from = this.#to = 0;
    }
  }

  /** Reads identifier and length octets, puts the start of the contents into `#from` and gives their length. */
  #header(tag: number, what: string): number {
    if (this.atEnd) {
      this.fail(`${what}: missing`);
      return 0;
    }
    const identifier = this.#bytes[this.#position] ?? -1;
    if (identifier !== tag) this.fail(`${what}: tag ${identifier} where ${tag} belongs`);
    if ((identifier & 0x1f) === 0x1f) this.fail(`${what}: tag numbers over 30 do not occur`);
    return this.#length(this.#position + 1, what);
  }

  /** Length octets in the definite form, as short as they can be (X.690 10.1). */
  #length(at: number, what: string): number {
    const first = at < this.#end ? (this.#bytes[at] ?? 0x80) : 0x80;
    this.#from = at + 1;
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    if (octets === 0 || octets > 4 || at + octets >= this.#end) {
      this.fail(`${what}: no definite length, or one that is longer than what holds it`);
      return 0;
    }
    let length = 0;
    for (let i = 1; i <= octets; i += 1) length = length * 256 + (this.#bytes[at + i] ?? 0);
    if (length < 0x80 || length < 256 ** (octets - 1)) this.fail(`${what}: a length that could be written shorter`);
    this.#from = at + 1 + octets;
    return length;
  }
}
