/** For how long an address that failed is tried last, milliseconds: the first time, and the longest. */
export type EjectionSettings = { readonly firstMs: number; readonly longestMs: number };

/** Addresses whose failures are remembered; a name that resolves to more is no destination but a catalogue. */
const MAX_REMEMBERED = 64;

type Failing = { readonly times: number; readonly untilMs: number };

/**
 * In which order the addresses of one destination are tried: each connection begins with another one, and those that failed lately come last.
 * They are still tried when all others fail, so that a mistaken ejection makes nothing unreachable. Pure: time is an argument, monotonic milliseconds.
 */
export class AddressOrder {
  readonly #settings: EjectionSettings;
  readonly #failing = new Map<string, Failing>();
  #next = 0;

  constructor(settings: EjectionSettings) {
    this.#settings = settings;
  }

  /** All of `addresses`, each once, in the order to try them. Never are more than half of them put back. */
  order(addresses: readonly string[], nowMs: number): readonly string[] {
    const all = [...new Set(addresses)];
    const start = all.length === 0 ? 0 : this.#next++ % all.length;
    const turned = [...all.slice(start), ...all.slice(0, start)];
    const ejected = turned.filter((address) => this.#isEjected(address, nowMs)).slice(0, Math.floor(all.length / 2));
    return [...turned.filter((address) => !ejected.includes(address)), ...ejected];
  }

  failed(address: string, nowMs: number): void {
    const times = (this.#failing.get(address)?.times ?? 0) + 1;
    const { firstMs, longestMs } = this.#settings;
    this.#failing.delete(address);
    this.#failing.set(address, { times, untilMs: nowMs + Math.min(longestMs, firstMs * times) });
    const [oldest] = this.#failing.keys();
    if (this.#failing.size > MAX_REMEMBERED && oldest !== undefined) this.#failing.delete(oldest);
  }

  succeeded(address: string): void {
    this.#failing.delete(address);
  }

  #isEjected(address: string, nowMs: number): boolean {
    return nowMs < (this.#failing.get(address)?.untilMs ?? Number.NEGATIVE_INFINITY);
  }
}
