import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { connectHttp1, get } from './system-clients.ts';
import type { System } from './system.ts';

/** Connections that ask one request after the other while something else goes on. */
const CONNECTIONS = 3;

export type Bystanders = {
  /** Ends them; every answer must have been 200. Gives how many there were and the slowest, milliseconds. */
  readonly stop: () => Promise<{ readonly answers: number; readonly worstMs: number }>;
};

/** Starts ordinary peers on connections of their own. `target` must be allowed. */
export async function startBystanders(context: TestContext, system: System, target: string): Promise<Bystanders> {
  let stopped = false;
  let answers = 0;
  let worstMs = 0;
  const one = async (): Promise<void> => {
    const peer = await connectHttp1(context, system);
    // oxlint-disable-next-line no-unmodified-loop-condition -- `stop` modifies it
    while (!stopped) {
      const began = performance.now();
      const { status } = await get(peer, target);
      assert.equal(status, 200, 'a bystander is served');
      worstMs = Math.max(worstMs, performance.now() - began);
      answers += 1;
    }
    peer.close();
  };
  const all = Promise.all(Array.from({ length: CONNECTIONS }, one));
  // Heard by `stop`; until then it must not end the test process.
  all.catch(() => undefined);
  return {
    stop: async () => {
      stopped = true;
      await all;
      return { answers, worstMs };
    },
  };
}
