import { spawn } from 'node:child_process';

import { err, ok } from '../../core/kernel/result.ts';
import { collectDetail, startFault } from './run-program.ts';

import type { ChildProcess } from 'node:child_process';
import type { Result } from '../../core/kernel/result.ts';
import type { ProgramEnvironment, ProgramFault } from './run-program.ts';

/** How a forwarding is started; `args` without the port of this side, which kubectl chooses. */
export type Forwarding = {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: ProgramEnvironment;
  /** Until it has to stand, in milliseconds. */
  readonly timeoutMs: number;
};

/** A forwarding that stands: a port of 127.0.0.1, until it is ended. */
export type OpenForwarding = { readonly port: number; readonly end: () => Promise<void> };

/** What kubectl says when it listens, which begins with the port that it chose. */
const STANDS = /Forwarding from 127\.0\.0\.1:(\d{1,5}) ->/;

/** More than kubectl ever says before it listens. */
const MAX_SAID = 4096;

/** Starts `kubectl port-forward` and waits until it listens. What has not within the time is killed. */
export function openForwarding(wanted: Forwarding): Promise<Result<OpenForwarding, ProgramFault>> {
  const { promise, resolve } = Promise.withResolvers<Result<OpenForwarding, ProgramFault>>();
  const { program, timeoutMs } = wanted;
  const child = spawn(program, wanted.args, { env: wanted.env, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
  const ended = new Promise<void>((done) => {
    child.once('error', () => done());
    child.once('close', () => done());
  });
  const end = (): Promise<void> => kill(child, ended);
  const refuse = (fault: ProgramFault): void => {
    clearTimeout(late);
    void end().then(() => resolve(err(fault)));
  };
  const late = setTimeout(() => refuse({ kind: 'late', program, timeoutMs }), timeoutMs);
  const detail = collectDetail(child);
  child.once('error', (error) => refuse(startFault(program, error)));
  child.once('close', (code, signal) => {
    refuse({ kind: 'failed', program, code: code ?? signal ?? 'unknown', detail: detail() });
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(0, MAX_SAID);
    const port = Number(STANDS.exec(said)?.[1]);
    if (!(port > 0 && port < 65_536)) return;
    clearTimeout(late);
    resolve(ok({ port, end }));
  });
  return promise;
}

/** Ends a child that holds nothing worth a farewell. */
function kill(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGKILL');
  child.stdout?.destroy();
  child.stderr?.destroy();
  return ended;
}
