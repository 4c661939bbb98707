import { readConfigFile, type ConfigFileFault } from '../io/sources/config-file.ts';
import { Sidecar, StartFault } from './assembled-sidecar.ts';
import type { Log, SidecarObserver } from './observer.ts';
import { createProcessLog } from './process-log.ts';

/** Exit codes of the process: as everywhere in the command line. */
const DONE = 0;
const WRONG_INPUT = 2;
const OUTSIDE = 3;

/** Where this process says what is wrong before it has a log. */
export type Complain = (fault: ConfigFileFault) => void;

/**
 * The sidecar as a process: reads the configuration, runs until SIGTERM or SIGINT, reloads on SIGHUP. Resolves with the exit code:
 * 0 after a drain, 2 for a configuration that is no good, 3 when something outside kept it from starting.
 */
export async function runSidecar(configPath: string, complain: Complain): Promise<number> {
  const config = await readConfigFile(configPath, process.env);
  if (!config.ok) {
    complain(config.error);
    return config.error.kind === 'mistakes' ? WRONG_INPUT : OUTSIDE;
  }
  const log = createProcessLog(config.value.log.level);
  const sidecar = new Sidecar(config.value, observerOf(log, config.value.labels));
  const stopped = stopSignal();
  try {
    for (const [index, { address, port }] of (await sidecar.start()).entries()) {
      log.info({ listener: index, address, port }, 'listening');
    }
  } catch (error) {
    if (!(error instanceof StartFault)) throw error;
    for (const problem of error.problems) log.error({}, problem);
    return WRONG_INPUT;
  }
  const reload = (): void => void sidecar.reload();
  process.on('SIGHUP', reload);
  const signal = await stopped;
  process.off('SIGHUP', reload);
  log.info({ signal, grace_ms: config.value.shutdown.grace }, 'draining');
  const lost = await sidecar.stop(config.value.shutdown.grace);
  log.info({ records_lost: lost }, 'stopped');
  return lost === 0 ? DONE : OUTSIDE;
}

/** The first signal that asks the process to end; a second one ends it at once, as Node does by default. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const signals = ['SIGTERM', 'SIGINT'] as const;
    const heard = (signal: NodeJS.Signals): void => {
      for (const one of signals) process.off(one, heard);
      resolve(signal);
    };
    for (const one of signals) process.on(one, heard);
  });
}

function observerOf(log: Log, labels: SidecarObserver['labels']): SidecarObserver {
  return {
    log,
    labels,
    decided: () => undefined,
    sourceChanged: () => undefined,
    policyChanged: () => undefined,
    source: (kind, problems) => {
      if (problems === undefined) log.info({ source: kind }, 'the source is good again');
      for (const problem of problems ?? []) log.error({ source: kind }, problem);
    },
  };
}
