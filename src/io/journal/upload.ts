import { gzip } from 'node:zlib';

/** Lines as the JSON array of one upload, compressed. Calls back once, from the thread pool: the event loop does not wait for it. */
export function encodeUpload(lines: readonly Uint8Array[], done: (body: Uint8Array) => void): void {
  const parts: Uint8Array[] = [OPEN];
  for (const line of lines) parts.push(...(parts.length === 1 ? [line] : [COMMA, line]));
  parts.push(CLOSE);
  gzip(Buffer.concat(parts), (error, body) => {
    if (error) throw error;
    done(body);
  });
}

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

/** Part of the bound that a guess aims at, so that most guesses fit. */
const AIM = 0.9;

/** What a kilobyte of records comes to before anything was measured. Ours compress to a tenth in company. */
const FIRST_RATIO = 0.2;

/** After an upload that was taken the bound grows by this part of it. */
const GROWTH_PART = 10;

/** Guesses how many lines fit into an upload, from how well those before them could be compressed (OPA's adaptive limit serves the same). */
export class UploadSize {
  readonly #most: number;
  #maxBytes: number;
  #ratio = FIRST_RATIO;

  /** `maxBytes`: of the compressed upload, ever. */
  constructor(maxBytes: number) {
    this.#most = maxBytes;
    this.#maxBytes = maxBytes;
  }

  /** The bound as it stands: at most what was configured. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Bytes of lines that are likely to fill an upload. */
  get fullBytes(): number {
    return (this.#maxBytes * AIM) / this.#ratio;
  }

  /** How many of the first `lines` to try: at least one. */
  take(lines: readonly { readonly length: number }[]): number {
    let bytes = 0;
    let count = 0;
    while (count < lines.length && bytes < this.fullBytes) {
      bytes += lines[count]?.length ?? 0;
      count += 1;
    }
    return bytes > this.fullBytes && count > 1 ? count - 1 : count;
  }

  /** Learns what lines came to; gives how many of them to try where that is too much. */
  learn(count: number, lineBytes: number, uploadBytes: number): number {
    // A few lines compress worse than many: what they say of the next upload is too careful, never too bold.
    this.#ratio = Math.max(0.01, uploadBytes / Math.max(1, lineBytes));
    if (uploadBytes <= this.#maxBytes) return count;
    return Math.max(1, Math.min(count - 1, Math.floor((count * this.#maxBytes * AIM) / uploadBytes)));
  }

  /** The receiver takes no upload of that size: half of it at most, until some were taken. */
  lower(uploadBytes: number): void {
    this.#maxBytes = Math.max(1, Math.min(this.#maxBytes, Math.floor(uploadBytes / 2)));
  }

  /** An upload was taken: the next may be a tenth larger, since what a receiver takes can change. */
  grow(): void {
    this.#maxBytes = Math.min(this.#most, this.#maxBytes + Math.ceil(this.#maxBytes / GROWTH_PART));
  }
}
