import { execFile } from 'node:child_process';
import { join } from 'node:path';

import { binary, toolPath } from './binaries.ts';

const LIMIT_MS = 180_000;
const MAX_OUTPUT = 64 << 20;

/** How a command ended. */
export type CommandResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type CommandOptions = {
  /** What it reads. */
  readonly input?: string;
  /** Default 180 s. */
  readonly limitMs?: number;
};

/** kubectl and helm, told where the cluster is; nothing of this user's own settings reaches them. */
export type KubeTools = {
  /** Output of kubectl; rejects, with what it complains of, where it fails. */
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>;
  readonly helm: (args: readonly string[], input?: string) => Promise<string>;
  /** How it ended, failures too. */
  readonly tryKubectl: (args: readonly string[], options?: CommandOptions) => Promise<CommandResult>;
  readonly tryHelm: (args: readonly string[], options?: CommandOptions) => Promise<CommandResult>;
  /** Environment for other programs that start kubectl or helm. */
  readonly env: NodeJS.ProcessEnv;
};

/** `folder` keeps what helm writes for itself. */
export function createKubeTools(kubeconfig: string, folder: string): KubeTools {
  const home = join(folder, 'home');
  const env = {
    ...process.env,
    PATH: toolPath(),
    KUBECONFIG: kubeconfig,
    HOME: home,
    HELM_CACHE_HOME: join(home, 'helm-cache'),
    HELM_CONFIG_HOME: join(home, 'helm-config'),
    HELM_DATA_HOME: join(home, 'helm-data'),
  };
  const start =
    (tool: 'kubectl' | 'helm') =>
    (args: readonly string[], options: CommandOptions = {}) =>
      runCommand(binary(tool), args, { ...options, env });
  const must = (tool: 'kubectl' | 'helm') => async (args: readonly string[], input?: string) => {
    const { code, stdout, stderr } = await start(tool)(args, input === undefined ? {} : { input });
    if (code !== 0) throw new Error(`${tool} ${args.join(' ')}: exit ${code}\n${stderr}${stdout}`);
    return stdout;
  };
  return {
    kubectl: must('kubectl'),
    helm: must('helm'),
    tryKubectl: start('kubectl'),
    tryHelm: start('helm'),
    env,
  };
}

/** Runs a command to its end; one that takes too long is killed and has the code -1. */
export function runCommand(
  command: string,
  args: readonly string[],
  { input, limitMs = LIMIT_MS, env }: CommandOptions & { readonly env?: NodeJS.ProcessEnv } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const settings = { timeout: limitMs, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT, env } as const;
    const child = execFile(command, [...args], settings, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr });
      else if (typeof error.code === 'string') reject(error);
      else resolve({ code: error.code ?? -1, stdout, stderr });
    });
    // A command that does not read what it is given closes its end early.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
