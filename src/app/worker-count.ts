import { availableParallelism } from 'node:os';

import type { Config } from '../core/config/config.ts';
import { canSharePorts } from '../io/workers/free-port.ts';
import { mostWorkers } from './worker-credit.ts';

/**
 * How many threads serve: what `workers` says, for `auto` as many as there are cores for this process (where threads can share a port; else one). Only listeners with a port
 * can be shared, so without any there is one. Never more than the journal's queue is large enough for.
 */
export function workerCount(
  { workers, inbound, outbound, journalQueue }: Pick<Config, 'workers' | 'inbound' | 'outbound' | 'journalQueue'>,
  cores: number = availableParallelism(),
): number {
  const isShareable = inbound.length > 0 || outbound.some(({ listen }) => listen.kind === 'tcp');
  if (!isShareable) return 1;
  const most = Math.min(MAX_WORKERS, mostWorkers(journalQueue));
  if (workers !== 'auto') return Math.min(workers, most);
  return canSharePorts() ? Math.min(cores, most) : 1;
}

const MAX_WORKERS = 64;

/** How long a worker gathers lines before it posts them, milliseconds. */
export const WORKER_LINGER_MS = 4;
