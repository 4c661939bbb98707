/** How many calls may be in repetition at once, so that a destination in trouble does not get more calls for it. */
export type RetryBudgetSettings = {
  /** Part of the calls under way, 0 to 1. */
  readonly part: number;
  /** That many in any case. */
  readonly least: number;
};

/** Counts the calls to one destination that are in repetition. Pure. */
export class RetryBudget {
  readonly #settings: RetryBudgetSettings;
  #taken = 0;

  constructor(settings: RetryBudgetSettings) {
    this.#settings = settings;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Takes room for one call's repetitions; false where there is none. To be given back once, when the call has ended. */
  take(underWay: number): boolean {
    const { part, least } = this.#settings;
    if (this.#taken >= Math.max(least, Math.floor(underWay * part))) return false;
    this.#taken += 1;
    return true;
  }

  give(): void {
    this.#taken -= 1;
  }
}
