import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import {
  createTrustPoll,
  type TrustAnswer,
  type TrustPollDeps,
  type TrustPollSettings,
  type Validators,
} from '../../../src/io/sources/trust-poll-source.ts';
import { createDrivenClock, type DrivenClock } from '../../support/driven-clock.ts';

import type { Source } from '../../../src/io/sources/follower.ts';
import type { IdentityPart } from '../../../src/io/sources/identity-part.ts';
import type { Problems } from '../../../src/io/sources/problem.ts';

/** A poll with a fetcher that says what the test wants, on a clock that the test drives. */
export type PollWorld = {
  readonly poll: Source<IdentityPart>;
  readonly clock: DrivenClock;
  readonly asked: (Validators | undefined)[];
  readonly parts: IdentityPart[];
  readonly problems: (Problems | undefined)[];
  /** What the next questions are answered with, until it is called again. */
  answer(answer: TrustAnswer): void;
  /** Content, with validators where they are given. */
  offer(bytes: Uint8Array | string, validators?: Validators): void;
  /** Lets time pass and what follows from it happen. */
  pass(ms: number): Promise<void>;
};

export const FAILED: TrustAnswer = { kind: 'failed', detail: 'https://x.test/: silent', retryAfterMs: undefined };

/** `random`: the first byte of each random number, 0 to 255; default 0, the least of every range. */
export function pollWorld(
  context: TestContext,
  settings: TrustPollSettings,
  { random = 0, ...deps }: { random?: number } & Partial<Omit<TrustPollDeps, 'random'>> = {},
): PollWorld {
  const clock = createDrivenClock();
  const world = {
    asked: [] as (Validators | undefined)[],
    parts: [] as IdentityPart[],
    problems: [] as (Problems | undefined)[],
  };
  let next: TrustAnswer = FAILED;
  const fetcher = {
    fetch: async (known: Validators | undefined): Promise<TrustAnswer> => {
      world.asked.push(known);
      await Promise.resolve();
      return next;
    },
    stop: () => undefined,
  };
  const poll = createTrustPoll(settings, {
    fetcher,
    clock,
    random: (length) => new Uint8Array(length).fill(random),
    timer: clock.timer,
    onChange: (part) => world.parts.push(part),
    onProblem: (problem) => world.problems.push(problem),
    ...deps,
  });
  context.after(() => poll.stop());
  return {
    ...world,
    poll,
    clock,
    answer: (answer) => (next = answer),
    offer: (bytes, validators) => (next = { kind: 'content', bytes: Buffer.from(bytes), validators }),
    pass: async (ms) => {
      clock.advance(ms);
      await settled();
    },
  };
}

/** Everything that waits for no one but this process has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The one thing that is wrong. */
export function problemOf({ poll }: PollWorld): string {
  assert.equal(poll.problem?.length, 1, JSON.stringify(poll.problem));
  return poll.problem[0] ?? '';
}
