/** How many failures in a row open a circuit, and for how long, milliseconds. */
export type CircuitSettings = {
  readonly failures: number;
  /** The first time; each further time in short order takes as long again, up to `longestMs`. */
  readonly openMs: number;
  readonly longestMs: number;
};

/** Under what condition a call goes out; handed back with its result. */
export type Admission = { readonly kind: 'ordinary' | 'trial'; readonly opening: number };

/** How a call went, as its destination is concerned; `neutral`: it was given up before that showed. */
export type CallResult = 'success' | 'failure' | 'neutral';

/**
 * Circuit breaker of one destination. Closed: calls go out, and so many failures in a row open it. Open: none goes out. After its time it lets one
 * through as a trial, whose success closes it and whose failure opens it again, longer; a trial that shows neither in that time (a stream may be silent for
 * hours) is joined by another. Pure: time is an argument, monotonic milliseconds.
 */
export class Circuit {
  readonly #settings: CircuitSettings;
  #state: 'closed' | 'open' | 'trying' = 'closed';
  #failures = 0;
  /** Times it has opened; also tells the results of earlier periods from those of this one. */
  #opening = 0;
  /** Openings in short order: the factor of the time. */
  #inARow = 0;
  #untilMs = 0;
  #closedSinceMs = Number.NEGATIVE_INFINITY;

  constructor(settings: CircuitSettings) {
    this.#settings = settings;
  }

  get state(): 'closed' | 'open' | 'trying' {
    return this.#state;
  }

  /** Lets a call out, or says how many milliseconds there is nothing to be had: 0 where a trial is under way. */
  admit(nowMs: number): Admission | { readonly kind: 'open'; readonly retryAfterMs: number } {
    if (this.#state === 'closed') return { kind: 'ordinary', opening: this.#opening };
    if (nowMs < this.#untilMs)
      return { kind: 'open', retryAfterMs: this.#state === 'trying' ? 0 : this.#untilMs - nowMs };
    this.#state = 'trying';
    this.#untilMs = nowMs + this.#settings.openMs;
    return { kind: 'trial', opening: this.#opening };
  }

  /** Takes the result of a call that was let out. To be called once for each; what belongs to an earlier period changes nothing. */
  report({ kind, opening }: Admission, result: CallResult, nowMs: number): void {
    if (opening !== this.#opening) return;
    if (kind === 'trial') this.#tried(result, nowMs);
    else if (result === 'failure') this.#failed(nowMs);
    else if (result === 'success') this.#failures = 0;
  }

  /** What may have been the cause is different now (our certificate, our trust): a trial may go out at once. */
  reconsider(nowMs: number): void {
    if (this.#state === 'open') this.#untilMs = nowMs;
  }

  #tried(result: CallResult, nowMs: number): void {
    if (this.#state !== 'trying') return;
    if (result === 'failure') this.#open(nowMs);
    else if (result === 'neutral') {
      this.#state = 'open';
      this.#untilMs = nowMs;
    } else {
      this.#state = 'closed';
      this.#failures = 0;
      this.#closedSinceMs = nowMs;
    }
  }

  #failed(nowMs: number): void {
    if (this.#state !== 'closed') return;
    this.#failures += 1;
    if (this.#failures >= this.#settings.failures) this.#open(nowMs);
  }

  #open(nowMs: number): void {
    const { openMs, longestMs } = this.#settings;
    const wasGoodForLong = this.#state === 'closed' && nowMs - this.#closedSinceMs >= longestMs;
    this.#inARow = wasGoodForLong ? 1 : this.#inARow + 1;
    this.#state = 'open';
    this.#opening += 1;
    this.#failures = 0;
    this.#untilMs = nowMs + Math.min(longestMs, openMs * this.#inARow);
  }
}
