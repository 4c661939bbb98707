import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

import type { Config } from '../core/config/config.ts';
import { createAdmin, type Admin } from '../io/admin/admin.ts';
import { createProbes, type Probes } from '../io/probes/probes.ts';
import { readConfig, type ConfigFileFault, type ConfigOrigin } from '../io/sources/config-file.ts';
import { createLog, type Log } from '../io/telemetry/log.ts';
import { NULL_TELEMETRY } from '../io/telemetry/null-telemetry.ts';
import type { createTelemetry } from '../io/telemetry/telemetry.ts';
import type { ThreadMetrics } from '../io/telemetry/thread-metrics.ts';
import { Sidecar, StartFault } from './assembled-sidecar.ts';
import { createObserver, type SidecarObserver } from './observer.ts';
import { ownVersion } from './own-version.ts';
import { stopSignal } from './stop-signal.ts';
import { systemClock } from './system.ts';
import { workerCount } from './worker-count.ts';

/** Exit codes of the process: as everywhere in the command line. */
const DONE = 0;
const WRONG_INPUT = 2;
const OUTSIDE = 3;

/** How long a scraper or a kubelet may take to read its last answer when the process ends, milliseconds. */
const ADMIN_GRACE_MS = 500;

/** Nothing that is followed keeps a process alive; until a listener does, this has to: an identity may be waited for as long as it takes. */
const AWAKE_MS = 60_000;

/** Where this process says what is wrong before it has a log. */
export type Complain = (fault: ConfigFileFault) => void;

/**
 * The sidecar as a process: reads the configuration, runs until SIGTERM or SIGINT, reloads on SIGHUP, asks peers to go elsewhere on SIGUSR2. Resolves with the exit code:
 * 0 after a drain, 2 for a configuration, certificate or policy that is no good, 3 when something outside kept it from starting.
 */
export async function runSidecar(origin: ConfigOrigin, complain: Complain): Promise<number> {
  const config = await readConfig(origin, process.env);
  if (!config.ok) {
    complain(config.error);
    return config.error.kind === 'mistakes' ? WRONG_INPUT : OUTSIDE;
  }
  const stopped = stopSignal();
  const running = new RunningSidecar(config.value, config.value.admin && (await loadMetrics(config.value)));
  const reload = (): void => void running.sidecar.reload();
  const retire = (): void => running.retire();
  process.on('SIGHUP', reload);
  process.on('SIGUSR2', retire);
  const started = running.start();
  const awake = setInterval(() => {}, AWAKE_MS);
  try {
    await Promise.race([started, stopped]);
  } catch (error) {
    return running.failed(error);
  } finally {
    clearInterval(awake);
  }
  const signal = await stopped;
  const code = await running.stop(signal);
  process.off('SIGHUP', reload);
  process.off('SIGUSR2', retire);
  return code;
}

/** Sidecar, admin listener and log of one process. */
class RunningSidecar {
  readonly sidecar: Sidecar;
  readonly #config: Config;
  readonly #observer: SidecarObserver;
  readonly #log: Log;
  readonly #admin: Admin | undefined;
  readonly #probes: Probes | undefined;
  readonly #version: string;

  /** `metrics`: undefined where nobody can read them. */
  constructor(config: Config, metrics: Metrics | undefined) {
    this.#config = config;
    this.#log = createLog(config.log.level);
    const version = ownVersion();
    this.#version = version;
    const telemetry =
      metrics?.createTelemetry(
        { version, decisions: metrics.threads === undefined },
        { clock: systemClock, figures: () => this.sidecar.figures() },
      ) ?? NULL_TELEMETRY;
    this.#observer = createObserver(telemetry, this.#log, { id: instanceId(), version, ...config.labels });
    this.sidecar = new Sidecar(config, this.#observer, metrics?.threads);
    this.#admin = config.admin && createAdmin(config.admin, this.#adminDeps());
    this.#probes = config.probes && createProbes(config.probes, this.#probesDeps());
  }

  /** Resolves when it listens; earlier where it is stopped before. */
  async start(): Promise<void> {
    const bound = await this.#open();
    for (const [index, { address, port }] of bound?.inbound.entries() ?? [])
      this.#log.info({ inbound: index, address, port }, 'listening');
    for (const [index, { address, port }] of bound?.outbound.entries() ?? [])
      this.#log.info({ outbound: index, address, port }, 'outbound listening');
  }

  /** Probes come first, and health before the listeners: both are asked while an identity or a policy is still waited for. */
  async #open(): ReturnType<Sidecar['open']> {
    try {
      await this.#startDoor('probes', this.#probes);
      await this.sidecar.prepare();
      await this.#startDoor('admin', this.#admin);
      return await this.sidecar.open();
    } catch (error) {
      await this.sidecar.stop(0);
      await Promise.all([this.#admin?.stop(0), this.#probes?.stop(0)]);
      throw error;
    }
  }

  /** Opens what operators ask; its name is that of its section. */
  async #startDoor(name: 'probes' | 'admin', door: Probes | Admin | undefined): Promise<void> {
    if (door === undefined) return;
    try {
      this.#log.info({ ...(await door.start()) }, `${name} listening`);
    } catch (error) {
      throw new StartFault([`${name}.listen: ${String(error)}`], 'outside');
    }
  }

  /** Says why it did not start, and gives the exit code. */
  failed(error: unknown): number {
    if (!(error instanceof StartFault)) throw error;
    for (const problem of error.problems) this.#log.error({}, problem);
    return error.cause === 'outside' ? OUTSIDE : WRONG_INPUT;
  }

  retire(): void {
    this.#log.info({}, 'asking peers to go elsewhere');
    this.sidecar.retire();
  }

  async stop(signal: NodeJS.Signals): Promise<number> {
    const { grace } = this.#config.shutdown;
    this.#log.info({ signal, grace_ms: grace }, 'draining');
    const lost = await this.sidecar.stop(grace);
    await Promise.all([this.#admin?.stop(ADMIN_GRACE_MS), this.#probes?.stop(ADMIN_GRACE_MS)]);
    this.#log.info({ records_lost: lost }, 'stopped');
    return lost === 0 ? DONE : OUTSIDE;
  }

  #probesDeps(): Parameters<typeof createProbes>[1] {
    return {
      started: () => this.sidecar.hasStarted,
      healthy: () => true,
      ready: async () => Object.values(await this.sidecar.ownReadiness()).every(({ ok }) => ok),
      log: this.#log,
    };
  }

  #adminDeps(): Parameters<typeof createAdmin>[1] {
    return {
      health: () => ({ ok: true, detail: 'running' }),
      ready: () => this.sidecar.readiness(),
      metrics: () => this.sidecar.metrics(),
      metricsType: this.#observer.contentType,
      status: () => ({ version: this.#version, ...this.sidecar.status() }),
      log: this.#log,
    };
  }
}

type Metrics = {
  readonly createTelemetry: typeof createTelemetry;
  /** Where decisions are counted by several threads. */
  readonly threads: ThreadMetrics | undefined;
};

/** The metrics library is loaded only where metrics are served: it costs 3 MiB and 5 % of the start. */
async function loadMetrics(config: Config): Promise<Metrics> {
  const { createTelemetry } = await import('../io/telemetry/telemetry.ts');
  if (workerCount(config) === 1) return { createTelemetry, threads: undefined };
  const { createThreadMetrics } = await import('../io/telemetry/thread-metrics.ts');
  return { createTelemetry, threads: createThreadMetrics() };
}

/** Which process wrote a record: the host and a part of its own, new with each start (OPA's label `id` is likewise). */
function instanceId(): string {
  return `${hostname()}-${randomUUID().slice(0, 8)}`;
}
