import { backOffMs, between } from '../../core/kernel/back-off.ts';
import { createControlClient } from './client.ts';
import { shownUrl, type ControlDeps, type ControlSettings } from './settings.ts';

import type { Random } from '../../core/kernel/clock.ts';

/** Bounds of the random pause between two reports without a change, milliseconds. */
export type StatusSettings = ControlSettings & { readonly minDelay: number; readonly maxDelay: number };

export type StatusDeps = ControlDeps & {
  readonly random: Random;
  /** What is reported, as JSON: asked for when it is sent. */
  readonly status: () => unknown;
  readonly log: Readonly<Record<'info' | 'warn', (fields: Readonly<Record<string, unknown>>, message: string) => void>>;
};

/** Posts the state of this process (OPA documentation, "Status"). Holds nothing up: a report that fails is replaced by a newer one. */
export interface StatusReporter {
  start(): void;
  /** Something changed: it is reported soon, however many changes there are. */
  changed(): void;
  stop(): Promise<void>;
}

/** Changes are gathered for this long, and reports that fail are tried again from here on, milliseconds. */
const GATHER_MS = 500;
const MAX_ANSWER = 65_536;

/** Creates the reporter without effects. */
export function createStatusReporter(settings: StatusSettings, deps: StatusDeps): StatusReporter {
  return new Reporter(settings, deps);
}

class Reporter implements StatusReporter {
  readonly #settings: StatusSettings;
  readonly #deps: StatusDeps;
  readonly #client: ReturnType<typeof createControlClient>;
  #state: 'new' | 'waiting' | 'posting' | 'stopped' = 'new';
  /** A change that the report under way may not hold. */
  #isStale = false;
  #failures = 0;
  #failure: string | undefined;
  #cancel: (() => void) | undefined;
  /** A change hurries what waits for its turn, but not what waits because the server failed. */
  #isGathering = false;

  constructor(settings: StatusSettings, deps: StatusDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#client = createControlClient(settings, deps);
  }

  start(): void {
    if (this.#state === 'new') this.#wait(GATHER_MS);
    this.#isGathering = true;
  }

  changed(): void {
    this.#isStale = true;
    if (this.#state !== 'waiting' || this.#isGathering || this.#failures > 0) return;
    this.#isGathering = true;
    this.#wait(GATHER_MS);
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#cancel?.();
    await this.#client.stop();
  }

  #wait(ms: number): void {
    this.#cancel?.();
    this.#state = 'waiting';
    this.#cancel = this.#deps.timer(ms, () => void this.#post());
  }

  async #post(): Promise<void> {
    this.#state = 'posting';
    this.#isStale = false;
    this.#isGathering = false;
    const failure = await this.#send();
    if (this.#isStopped()) return;
    this.#heard(failure);
    this.#wait(this.#pauseMs(failure));
  }

  async #send(): Promise<string | undefined> {
    const body = Buffer.from(JSON.stringify(this.#deps.status()));
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#client.ask({ method: 'POST', headers, body, maxBytes: MAX_ANSWER });
    if (!answer.ok) return answer.error.detail;
    const { status } = answer.value;
    return status >= 200 && status < 300 ? undefined : `answered ${status}`;
  }

  #pauseMs(failure: string | undefined): number {
    const { minDelay, maxDelay } = this.#settings;
    if (failure !== undefined) return backOffMs(this.#failures, GATHER_MS, maxDelay, this.#deps.random);
    if (!this.#isStale) return between(minDelay, maxDelay, this.#deps.random);
    this.#isGathering = true;
    return GATHER_MS;
  }

  #heard(failure: string | undefined): void {
    const fields = { status: shownUrl(this.#settings.url) };
    if (failure === undefined) {
      if (this.#failure !== undefined) this.#deps.log.info(fields, 'status is reported again');
      this.#failures = 0;
    } else {
      if (failure !== this.#failure) this.#deps.log.warn({ ...fields, error: failure }, 'status cannot be reported');
      this.#failures += 1;
    }
    this.#failure = failure;
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }
}
