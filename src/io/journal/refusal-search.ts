/**
 * What to post next. `first`: so many of the first lines. `control`: another record alone, whose answer tells whether the receiver takes anything. `notice`: what
 * stands in for the first line.
 */
export type Trial =
  | { readonly kind: 'first'; readonly count: number }
  | { readonly kind: 'control' }
  | { readonly kind: 'notice' };

/**
 * Seeks the one line for which a receiver refuses an upload, from the front, so that lines stay in order: halves that are taken are done with. A line gives way
 * only if it was refused alone after something else had been taken: a receiver that refuses everything for a while costs no record. Not found while `control` or
 * `notice` are refused as well: then the first line is tried again, with the pauses of any failure.
 */
export class RefusalSearch {
  /** So many of the first lines are known to hold one that is refused. */
  #suspects: number;
  /** Something was taken since the last time that nothing was. */
  #takes = false;
  #trial: Trial;
  #rounds = 0;

  /** `count`: lines of the upload that was refused. */
  constructor(count: number) {
    this.#suspects = count;
    this.#trial = { kind: 'first', count };
    this.refused(count);
  }

  get trial(): Trial {
    return this.#trial;
  }

  /** How often it ended with nothing taken. */
  get rounds(): number {
    return this.#rounds;
  }

  /** The trial was refused; `count`: the lines that it stood for. Gives whether there is something else to try at once. */
  refused(count: number): boolean {
    if (this.#trial.kind !== 'first') {
      this.#takes = false;
      this.#rounds += 1;
      this.#trial = { kind: 'first', count: 1 };
      return false;
    }
    this.#suspects = count;
    if (count > 1) this.#trial = { kind: 'first', count: Math.floor(count / 2) };
    else this.#trial = { kind: this.#takes ? 'notice' : 'control' };
    return true;
  }

  /** The trial was taken; `count`: the lines that it stood for. Gives whether the line is still to be found. */
  taken(count: number): boolean {
    this.#takes = true;
    this.#suspects -= count;
    this.#trial = { kind: 'first', count: Math.max(1, Math.floor(this.#suspects / 2)) };
    return this.#suspects > 0;
  }
}
