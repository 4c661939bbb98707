import { kubeStatus } from '../../app/kube/kube-status.ts';
import { isWrong } from '../../app/kube/pod-status.ts';
import { systemClock } from '../../app/system.ts';
import { createKubectl } from '../../io/programs/kubectl.ts';
import { EXIT } from '../exit-codes.ts';
import { tableLines } from '../table.ts';
import { inert } from '../terminal.ts';

import type { KubeStatus } from '../../app/kube/kube-status.ts';
import type { PodStatus } from '../../app/kube/pod-status.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { KubeStatusOptions } from '../define-kube.ts';
import type { Style, Terminal } from '../terminal.ts';

/** `sallyport kube status`: exit 1 where somebody has to look at a pod. */
export async function kubeStatusTable(options: KubeStatusOptions, terminal: Terminal): Promise<ExitCode> {
  if (options.namespace !== undefined && options.allNamespaces === true) {
    terminal.err('sallyport kube status: either --namespace or --all-namespaces, not both');
    return EXIT.wrongUse;
  }
  const { env } = terminal;
  const kubectl = createKubectl({ program: env['KUBECTL'], context: options.context }, { env });
  const status = await kubeStatus(options.namespace, { kubectl, clock: systemClock });
  if (!status.ok) {
    const hint = status.error.kind === 'missing' ? '; install kubectl, or name it in KUBECTL' : '';
    terminal.err(terminal.style('err', 'red', `sallyport kube status: ${inert(status.error.detail)}${hint}`));
    return EXIT.outside;
  }
  if (options.json === true) terminal.out(JSON.stringify(asJson(status.value)));
  else print(status.value, systemClock.wallMs(), terminal);
  return status.value.pods.some(isWrong) ? EXIT.no : EXIT.done;
}

const HEAD = ['NAMESPACE', 'POD', 'INJECTED', 'VERSION', 'CAPTURE', 'MODE', 'CERTIFICATE', 'POLICY', 'CANDIDATE'];

function print({ pods, warnings, injector, namespaces }: KubeStatus, nowMs: number, terminal: Terminal): void {
  for (const warning of warnings) terminal.err(terminal.style('err', 'yellow', `warning: ${inert(warning)}`));
  if (pods.length === 0) {
    terminal.out(`no pods in ${namespaces.length === 0 ? 'labelled namespaces' : namespaces.map(inert).join(', ')}`);
    return;
  }
  const [head = '', ...lines] = tableLines([HEAD, ...pods.map((pod) => row(pod, nowMs))]);
  terminal.out(terminal.style('out', 'bold', head));
  lines.forEach((line, index) => {
    const pod = pods[index];
    terminal.out(terminal.style('out', pod === undefined ? 'dim' : colour(pod), line));
    for (const problem of pod?.problems ?? []) terminal.out(terminal.style('out', 'red', `  ! ${inert(problem)}`));
  });
  const wrong = pods.filter(isWrong).length;
  const of = injector.version === undefined ? '' : `; the injector is of version ${inert(injector.version)}`;
  terminal.out(`${pods.length} ${pods.length === 1 ? 'pod' : 'pods'}, ${wrong} with problems${of}`);
}

function row(pod: PodStatus, nowMs: number): readonly string[] {
  const { sidecar } = pod;
  const cells = [
    pod.namespace,
    pod.pod,
    pod.phase === 'Running' ? pod.injected : `${pod.injected} (${pod.phase})`,
    pod.version,
    pod.capture,
    sidecar?.draining === true ? `${pod.mode ?? ''} (draining)` : pod.mode,
    sidecar?.notAfterMs === undefined ? undefined : expiry(sidecar.notAfterMs, nowMs),
    sidecar?.revision,
    sidecar?.candidate,
  ];
  return cells.map((cell) => (cell === undefined || cell === '' ? '-' : inert(cell)));
}

function colour(pod: PodStatus): Style {
  if (isWrong(pod)) return 'red';
  return pod.injected === 'yes' ? 'green' : 'yellow';
}

/** How long it is good for, and until when: `42m (2026-11-21T20:30:00Z)`. */
function expiry(endMs: number, nowMs: number): string {
  const at = Number.isFinite(endMs) ? new Date(endMs).toISOString().replace(/\.\d{3}Z$/, 'Z') : '?';
  const left = Math.floor((endMs - nowMs) / 1000);
  return left <= 0 ? `expired (${at})` : `${span(left)} (${at})`;
}

/** A span of time in its two largest units. */
function span(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days}d${hours}h`;
  if (hours > 0) return `${hours}h${minutes}m`;
  return minutes > 0 ? `${minutes}m` : `${seconds}s`;
}

/** The times as people and programs read them. */
function asJson({ pods, ...rest }: KubeStatus): unknown {
  return {
    ...rest,
    pods: pods.map(({ sidecar, ...pod }) => {
      const notAfter = sidecar?.notAfterMs === undefined ? undefined : new Date(sidecar.notAfterMs).toISOString();
      const { notAfterMs: _, ...said } = sidecar ?? { notAfterMs: undefined };
      return { ...pod, ...(sidecar !== undefined && { sidecar: { ...said, notAfter } }) };
    }),
  };
}
