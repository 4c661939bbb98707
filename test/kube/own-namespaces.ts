import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** PID 1 of the namespaces: reaps what its children leave, and with its end the kernel ends every process within. */
const INIT = '"$@"; exit $?';

/**
 * Runs a command in network, mount and process namespaces of its own, and resolves with its exit code when nothing of it is left: containers and their
 * shims as well, which are nobody's children. However this process ends, all of them end too.
 */
export async function inOwnNamespaces(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const unshare = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...unshare, 'sh', '-c', INIT, 'init', ...command], {
    stdio: 'inherit',
    env,
  });
  const end = (): void => void child.kill('SIGTERM');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}
