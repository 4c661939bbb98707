import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import type { DecisionRecord } from '../../src/core/model/record.ts';

/** One line of the process log. */
export type LogEntry = Readonly<Record<string, unknown>> & { readonly level: number; readonly msg: string };

/** A configuration as a user would write it. */
export type RawConfig = Readonly<Record<string, unknown>>;

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
const JOURNAL = 'records.ndjson';
const CONFIG_ENV = 'SALLYPORT_CONFIG';

/** `TEST_WORKERS=2 npm test`: what holds with one thread has to hold with several. */
const { TEST_WORKERS } = process.env;
const WORKERS: RawConfig = TEST_WORKERS === undefined ? {} : { workers: Number(TEST_WORKERS) };

/** Bound on every wait: a condition that has not come true by then never will. */
const PATIENCE_MS = 30_000;
const LOOK_MS = 10;

/**
 * `sallyport run` as a user starts it: a process of its own, told by a file, listening on free ports of loopback. It is ended with the test, by the
 * process id that it was started with.
 */
export class SidecarProcess {
  readonly folder: string;
  readonly log: LogEntry[] = [];
  /** What it wrote to stderr that is no log line. */
  readonly complaints: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | NodeJS.Signals>;
  readonly #reader: RecordReader;
  #isOver = false;

  /** `config`: the path of the file, or the text itself, which the process then gets in its environment, standing in `folder`. */
  constructor(folder: string, config: string | { readonly text: string }, stdout: 'ignore' | 'pipe' = 'ignore') {
    this.folder = folder;
    this.#reader = new RecordReader(join(folder, JOURNAL));
    const stdio = ['ignore', stdout, 'pipe'] as const;
    this.#child =
      typeof config === 'string'
        ? spawn(process.execPath, [MAIN, 'run', '--config', config], { stdio: [...stdio] })
        : spawn(process.execPath, [MAIN, 'run', '--config-env', CONFIG_ENV], {
            stdio: [...stdio],
            cwd: folder,
            env: { ...process.env, [CONFIG_ENV]: config.text },
          });
    const { promise, resolve: ended } = Promise.withResolvers<number | NodeJS.Signals>();
    this.#exited = promise;
    this.#child.once('close', (code, signal) => {
      this.#isOver = true;
      ended(code ?? signal ?? -1);
    });
    const { stderr } = this.#child;
    if (stderr !== null) createInterface({ input: stderr }).on('line', (line) => this.#heard(line));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** True until the process has ended. */
  get isRunning(): boolean {
    return !this.#isOver;
  }

  /** Port of the first listener. */
  get port(): number {
    return this.portOf(0);
  }

  get probePort(): number {
    return Number(this.log.find((entry) => entry.msg === 'probes listening')?.['port']);
  }

  get adminPort(): number {
    return Number(this.log.find((entry) => entry.msg === 'admin listening')?.['port']);
  }

  portOf(inbound: number): number {
    return Number(this.log.find((entry) => entry.msg === 'listening' && entry['inbound'] === inbound)?.['port']);
  }

  /** Port of an outbound listener. */
  outboundPort(outbound = 0): number {
    const said = this.log.find((entry) => entry.msg === 'outbound listening' && entry['outbound'] === outbound);
    return Number(said?.['port']);
  }

  /** All decision records in the journal file so far, in its order. */
  records(): readonly DecisionRecord[] {
    return this.#reader.read();
  }

  /** Waits until `select` finds something in the records. */
  recordsWhen<T>(what: string, select: (records: readonly DecisionRecord[]) => T | undefined): Promise<T> {
    return this.until(`records: ${what}`, () => select(this.records()));
  }

  /** Waits until there are `count` records beyond the first `from`, and gives those beyond. More than `count` is a failure of the caller's own check. */
  recordsFrom(from: number, count: number): Promise<readonly DecisionRecord[]> {
    return this.recordsWhen(`${count} after the first ${from}`, (all) =>
      all.length >= from + count ? all.slice(from) : undefined,
    );
  }

  /** Waits for a log line, among those after the first `from`. */
  logged(message: string | RegExp, from = 0): Promise<LogEntry> {
    const matches = ({ msg }: LogEntry): boolean => (typeof message === 'string' ? msg === message : message.test(msg));
    return this.until(`log line ${message}`, () => this.log.slice(from).find(matches));
  }

  /** Waits until `look` gives something else than undefined or false; fails with what the process said when that does not come. */
  async until<T>(
    what: string,
    look: () => T | undefined | false | Promise<T | undefined | false>,
    within = PATIENCE_MS,
  ): Promise<T> {
    const deadline = performance.now() + within;
    for (;;) {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > deadline) throw new Error(`waited in vain for ${what}\n${this.story()}`);
      await pause(LOOK_MS);
    }
  }

  /** GET on the admin listener. */
  async admin(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}${path}`, { headers: { connection: 'close' } });
    return { status: response.status, text: await response.text() };
  }

  /** Value of one metric with exactly these labels (`name{a="b"}` as it stands in the text); undefined where it is not there. */
  async metric(series: string): Promise<number | undefined> {
    const { text } = await this.admin('/metrics');
    const line = text.split('\n').find((each) => each.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** SIGHUP, and waits until what was to be read again is in force. */
  async reload(): Promise<void> {
    const before = await this.metric('sallyport_reloads_total{kind="journal",result="ok"}');
    this.signal('SIGHUP');
    await this.until('the end of a reload', async () => {
      const now = await this.metric('sallyport_reloads_total{kind="journal",result="ok"}');
      return now !== undefined && now > (before ?? 0);
    });
  }

  /** SIGTERM; the exit code, or the signal that it died of. */
  stop(): Promise<number | NodeJS.Signals> {
    this.signal('SIGTERM');
    return this.exited();
  }

  async exited(): Promise<number | NodeJS.Signals> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    const how = await this.#exited;
    clearTimeout(timer);
    return how;
  }

  /** Standard output, where it was asked for. */
  get stdout(): NodeJS.ReadableStream | null {
    return this.#child.stdout;
  }

  /** Largest resident set so far, MiB; undefined where the system does not tell. */
  peakRssMiB(): number | undefined {
    try {
      const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'latin1'))?.[1];
      return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / 1_024);
    } catch {
      return undefined;
    }
  }

  /** The end of the log and of the journal, for messages. */
  story(): string {
    const log = this.log.slice(-12).map((entry) => `  log ${JSON.stringify(entry)}`);
    const records = this.records()
      .slice(-6)
      .map(({ sallyport: { verdict, fault, detail, outcome } }) => {
        return `  record ${JSON.stringify({ verdict, fault, detail, outcome })}`;
      });
    return [...this.complaints.slice(-12), ...log, ...records, this.#isOver ? '  the process has ended' : ''].join(
      '\n',
    );
  }

  async kill(): Promise<void> {
    if (!this.#isOver) this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #heard(line: string): void {
    try {
      const entry: unknown = JSON.parse(line);
      if (typeof entry === 'object' && entry !== null && 'msg' in entry) this.log.push(entry as LogEntry);
      else this.complaints.push(line);
    } catch {
      this.complaints.push(line);
    }
  }
}

/** Writes the configuration and starts the process on it, without waiting for anything. */
export async function spawnSidecar(
  context: TestContext,
  folder: string,
  config: RawConfig,
  stdout: 'ignore' | 'pipe' = 'ignore',
): Promise<SidecarProcess> {
  const path = join(folder, 'sallyport.json');
  await writeFile(path, JSON.stringify(config));
  const sidecar = new SidecarProcess(folder, path, stdout);
  context.after(() => sidecar.kill());
  return sidecar;
}

/** Starts the process with its configuration in the environment, without waiting for anything. */
export function spawnSidecarByEnvironment(context: TestContext, folder: string, config: RawConfig): SidecarProcess {
  const sidecar = new SidecarProcess(folder, { text: JSON.stringify(config) });
  context.after(() => sidecar.kill());
  return sidecar;
}

/** Starts the process and waits until it listens everywhere it was told to. */
export async function startSidecar(
  context: TestContext,
  folder: string,
  config: RawConfig,
  stdout?: 'ignore' | 'pipe',
): Promise<SidecarProcess> {
  const whole: RawConfig = { journal: [`file:${JOURNAL}`], admin: { listen: '127.0.0.1:0' }, ...WORKERS, ...config };
  const sidecar = await spawnSidecar(context, folder, whole, stdout);
  await sidecar.until('the listeners', () => {
    if (!sidecar.isRunning) throw new Error(`the sidecar did not start\n${sidecar.story()}`);
    const count = (message: string): number => sidecar.log.filter((entry) => entry.msg === message).length;
    return (
      count('admin listening') === 1 &&
      count('listening') === lengthOf(whole['inbound']) &&
      count('outbound listening') === lengthOf(whole['outbound'])
    );
  });
  return sidecar;
}

function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : 0;
}

/** Reads the records of a file that grows, each once; a file that was renamed away is read on from the new one. */
class RecordReader {
  readonly #path: string;
  readonly #records: DecisionRecord[] = [];
  #taken = 0;

  constructor(path: string) {
    this.#path = path;
  }

  read(): readonly DecisionRecord[] {
    const bytes = contentOf(this.#path);
    const end = bytes.lastIndexOf(0x0a) + 1;
    if (end > this.#taken) {
      for (const line of bytes.toString('utf8', this.#taken, end).split('\n')) {
        if (line.startsWith('{"decision_id"')) this.#records.push(JSON.parse(line) as DecisionRecord);
      }
      this.#taken = end;
    }
    return this.#records;
  }
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
