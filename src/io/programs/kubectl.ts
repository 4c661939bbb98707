import { err, ok } from '../../core/kernel/result.ts';
import { getJson } from './loopback-json.ts';
import { openForwarding } from './port-forward.ts';
import { programFaultText, runProgram } from './run-program.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { ProgramEnvironment } from './run-program.ts';

/** A port of one pod. */
export type PodPort = { readonly namespace: string; readonly pod: string; readonly port: number };

/** Why the cluster gave no answer: for people, and with text of kubectl in it, so to be made inert. */
export type KubectlFault = { readonly kind: 'missing' | 'failed'; readonly detail: string };

/** The user's own kubectl: their cluster, their credentials, their rights. It is only ever asked to read. */
export interface Kubectl {
  /** Objects as `kubectl get ARGS --output=json` gives them. */
  get(args: readonly string[]): Promise<Result<unknown, KubectlFault>>;
  /** The JSON that one port of a pod answers a GET of `path` with, through a port-forward that stands no longer than that. */
  ask(target: PodPort, path: string): Promise<Result<unknown, KubectlFault>>;
}

export type KubectlConfig = {
  /** Name or path; `kubectl` by default. */
  readonly program?: string | undefined;
  /** Of the kubeconfig; its current one by default. */
  readonly context?: string | undefined;
};

/** Of one question; kubectl's own default is to wait for ever. */
const TIMEOUT_MS = 30_000;
const FORWARD_TIMEOUT_MS = 15_000;
const ANSWER_TIMEOUT_MS = 5_000;

/** Pods of a namespace with thousands of them; a namespace is listed at a time. */
const MAX_OUTPUT = 256 * 1_048_576;

/** Creates the client. Each question is a process of its own; nothing is kept between two. */
export function createKubectl(config: KubectlConfig, deps: { readonly env: ProgramEnvironment }): Kubectl {
  const program = config.program ?? 'kubectl';
  const general = config.context === undefined ? [] : [`--context=${config.context}`];
  return {
    get: async (args) => {
      const asked = [...general, 'get', ...args, '--output=json', `--request-timeout=${TIMEOUT_MS / 1000}s`];
      const run = { program, args: asked, env: deps.env, timeoutMs: TIMEOUT_MS, maxOutput: MAX_OUTPUT };
      const ran = await runProgram(run);
      return ran.ok ? readJson(ran.value) : err(kubectlFault(ran.error));
    },
    ask: async ({ namespace, pod, port }, path) => {
      const where = [`--namespace=${namespace}`, '--address=127.0.0.1', `pod/${pod}`, `:${port}`];
      const args = [...general, 'port-forward', ...where];
      const opened = await openForwarding({ program, args, env: deps.env, timeoutMs: FORWARD_TIMEOUT_MS });
      if (!opened.ok) return err(kubectlFault(opened.error));
      const answer = await getJson(opened.value.port, path, ANSWER_TIMEOUT_MS);
      await opened.value.end();
      return answer.ok ? answer : err({ kind: 'failed', detail: answer.error });
    },
  };
}

function readJson(text: string): Result<unknown, KubectlFault> {
  try {
    return ok(JSON.parse(text) as unknown);
  } catch {
    return err({ kind: 'failed', detail: 'kubectl printed no JSON' });
  }
}

function kubectlFault(fault: Parameters<typeof programFaultText>[0]): KubectlFault {
  return { kind: fault.kind === 'missing' ? 'missing' : 'failed', detail: programFaultText(fault) };
}
