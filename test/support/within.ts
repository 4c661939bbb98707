import assert from 'node:assert/strict';
import { createContext, runInContext } from 'node:vm';

/**
 * Does synchronous work and fails where it takes longer than `ms`. The `timeout` of a test cannot do that: its timer waits for the work to give way, so a
 * loop that blocks is late and green. Here V8 ends the work itself.
 */
export function within<T>(ms: number, work: () => T): T {
  let result: { readonly value: T } | undefined;
  const run = (): void => void (result = { value: work() });
  runInContext('run()', createContext({ run }), { timeout: ms });
  return (result ?? assert.fail('the work has no result')).value;
}
