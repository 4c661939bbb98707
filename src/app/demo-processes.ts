import { OwnedProcess, type ProcessFault, type Program } from './demo-process.ts';

/** How long a process may take to end after SIGTERM, milliseconds: longer than the sidecars' own grace. */
const GRACE_MS = 5_000;

/** All child processes of the demo; none outlives `stop`, nor this process as long as it ends by itself. */
export class Processes {
  readonly #running = new Set<OwnedProcess>();
  readonly #fault = Promise.withResolvers<ProcessFault>();
  readonly #lastResort = (): void => this.kill();
  #stopped = false;

  constructor() {
    process.on('exit', this.#lastResort);
  }

  /** Starts one more. Throws once stopped. */
  start(program: Program): OwnedProcess {
    if (this.#stopped) throw new Error('the demo is ending');
    const owned = new OwnedProcess(program);
    this.#running.add(owned);
    void owned.ended().then((fault) => {
      this.#running.delete(owned);
      if (!this.#stopped) this.#fault.resolve(fault);
    });
    return owned;
  }

  /** Resolves when a process ends without having been asked to. */
  get fault(): Promise<ProcessFault> {
    return this.#fault.promise;
  }

  /** SIGKILL to all, now. */
  kill(): void {
    for (const owned of this.#running) owned.kill();
  }

  /** Ends all and waits for them. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#running].map((owned) => owned.stop(GRACE_MS)));
    process.off('exit', this.#lastResort);
  }
}
