import { randomBytes } from 'node:crypto';

import type { Clock, Random } from '../../src/core/kernel/clock.ts';

/** The real clock and real randomness, for what is checked against real time. */
export const systemClock: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
export const systemRandom: Random = (length) => new Uint8Array(randomBytes(length));
