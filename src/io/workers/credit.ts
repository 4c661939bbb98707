/** Answers one request that waits for room in the journal. Called once. */
export type Waiting = (reserved: boolean) => void;

/**
 * The room in the journal that one worker thread holds. The journal is another thread's; what it promises this one is credit here, one for each record. Credit is taken before
 * a request is decided, and gone when the record's line is on its way. Pure: what has to be asked for and given back is said by `due`, what came is told by `granted`,
 * `served` and `denied`.
 *
 * Always: credit in hand + credit taken <= what was granted - what was given back - lines that left.
 */
export class Credit {
  readonly #chunk: number;
  #inHand = 0;
  #taken = 0;
  #isAsked = false;
  /** Wants that were posted and not answered yet: at least as many as wait. */
  #wanted = 0;
  /** In the order of arrival. */
  readonly #waiting: Waiting[] = [];

  /** `chunk`: how much is asked for at once, and about how much is in hand while nothing happens. At least 1. */
  constructor(chunk: number) {
    this.#chunk = Math.max(1, chunk);
  }

  /** Credit that can be taken now. */
  get inHand(): number {
    return this.#inHand;
  }

  /** Taken for requests that are open, or whose lines have not left. */
  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** True where it is time to say what is `due`. */
  get isShort(): boolean {
    return !this.#isAsked && this.#inHand < this.#chunk / 2;
  }

  /** True where it is time to say what is `due`, because more lies idle than is to: others may wait for it. */
  get isPlenty(): boolean {
    return this.#inHand > 2 * this.#chunk;
  }

  /** Takes credit for one record; false where there is none in hand, or others came before. */
  take(): boolean {
    if (this.#inHand === 0 || this.#waiting.length > 0) return false;
    this.#inHand -= 1;
    this.#taken += 1;
    return true;
  }

  /** Waits for credit. Whoever holds the journal has to be told of each: it answers by `served` or `denied`, in order. */
  wait(done: Waiting): void {
    this.#waiting.push(done);
    this.#wanted += 1;
  }

  /** Credit that was taken and will not be used: for the next one. */
  putBack(): void {
    this.#taken -= 1;
    this.#inHand += 1;
    this.#serve();
  }

  /** `lines` records are on their way, each in room that was taken. */
  left(lines: number): void {
    this.#taken -= lines;
  }

  /** What to ask for, and what to give back because more than two chunks lie idle. What is asked for is answered by `granted`, be it with 0. */
  due(): { readonly ask: number; readonly giveBack: number } {
    if (this.isShort) {
      this.#isAsked = true;
      return { ask: this.#chunk - this.#inHand, giveBack: 0 };
    }
    const giveBack = this.isPlenty ? this.#inHand - this.#chunk : 0;
    this.#inHand -= giveBack;
    return { ask: 0, giveBack };
  }

  /** The answer to what was asked for. */
  granted(credit: number): void {
    this.#isAsked = false;
    this.#inHand += credit;
    this.#serve();
  }

  /** Room came free for the oldest want. */
  served(): void {
    this.#wanted -= 1;
    this.#inHand += 1;
    this.#serve();
  }

  /** No room came free for the oldest want. Whoever it was for may have been served from elsewhere: then nobody is turned away. */
  denied(): void {
    this.#wanted -= 1;
    if (this.#waiting.length > this.#wanted) this.#waiting.shift()?.(false);
  }

  #serve(): void {
    while (this.#inHand > 0 && this.#waiting.length > 0) {
      this.#inHand -= 1;
      this.#taken += 1;
      this.#waiting.shift()?.(true);
    }
  }
}
