import { spawn } from 'node:child_process';

import { err, ok } from '../../core/kernel/result.ts';

import type { ChildProcess } from 'node:child_process';
import type { Result } from '../../core/kernel/result.ts';

/** The environment of a child process: exactly this one. */
export type ProgramEnvironment = Readonly<Record<string, string | undefined>>;

/** What is run, without a shell. `program` is a path, or a name that is looked up in PATH of `env`. Time in milliseconds, output in bytes. */
export type Program = {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: ProgramEnvironment;
  readonly timeoutMs: number;
  readonly maxOutput: number;
};

/** Why a program gave nothing. */
export type ProgramFault =
  | { readonly kind: 'missing'; readonly program: string }
  /** It could not be started for another reason. */
  | { readonly kind: 'unstartable'; readonly program: string; readonly detail: string }
  | { readonly kind: 'late'; readonly program: string; readonly timeoutMs: number }
  | { readonly kind: 'oversized'; readonly program: string; readonly maxOutput: number }
  /** It ended with another code than 0, or by a signal; `detail` is what it said last, at most 4 KiB. */
  | { readonly kind: 'failed'; readonly program: string; readonly code: number | string; readonly detail: string };

/** How much of stderr is kept: its end, where programs say why. */
const KEPT_DETAIL = 4096;

/** Runs a program to its end; its standard output, where it ended with 0. Never rejects. */
export function runProgram(wanted: Program): Promise<Result<string, ProgramFault>> {
  const { promise, resolve } = Promise.withResolvers<Result<string, ProgramFault>>();
  const { program, timeoutMs, maxOutput } = wanted;
  const child = spawn(program, wanted.args, { env: wanted.env, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
  let stopped: ProgramFault | undefined;
  const stop = (fault: ProgramFault): void => {
    stopped ??= fault;
    child.kill('SIGKILL');
    // What the program started itself may hold these open for ever.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const late = setTimeout(() => stop({ kind: 'late', program, timeoutMs }), timeoutMs);
  const out = collectOutput(child.stdout, maxOutput, () => stop({ kind: 'oversized', program, maxOutput }));
  const detail = collectDetail(child);
  child.once('error', (error: NodeJS.ErrnoException) => {
    clearTimeout(late);
    resolve(err(startFault(program, error)));
  });
  child.once('close', (code, signal) => {
    clearTimeout(late);
    if (stopped !== undefined) resolve(err(stopped));
    else if (code === 0) resolve(ok(out()));
    else resolve(err({ kind: 'failed', program, code: code ?? signal ?? 'unknown', detail: detail() }));
  });
  return promise;
}

/** Why a program did not start. */
export function startFault(program: string, error: NodeJS.ErrnoException): ProgramFault {
  if (error.code === 'ENOENT') return { kind: 'missing', program };
  return { kind: 'unstartable', program, detail: error.code ?? error.message };
}

/** Gives what a child has said on stderr so far: its last 4 KiB. */
export function collectDetail(child: ChildProcess): () => string {
  let kept = Buffer.alloc(0);
  child.stderr?.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]).subarray(-KEPT_DETAIL);
  });
  return () => kept.toString('utf8').trim();
}

/** One line for people of what went wrong. May hold text of the program: make it inert before it is shown. */
export function programFaultText(fault: ProgramFault): string {
  const { program } = fault;
  switch (fault.kind) {
    case 'missing':
      return `${program}: there is no such program`;
    case 'unstartable':
      return `${program}: cannot be started (${fault.detail})`;
    case 'late':
      return `${program}: did not end within ${fault.timeoutMs / 1000} s`;
    case 'oversized':
      return `${program}: said more than ${fault.maxOutput} bytes`;
    case 'failed':
      return `${program}: ended with ${fault.code}${fault.detail === '' ? '' : `: ${fault.detail}`}`;
    default:
      return fault satisfies never;
  }
}

function collectOutput(stream: NodeJS.ReadableStream, maxOutput: number, onMore: () => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxOutput) onMore();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString('utf8');
}
