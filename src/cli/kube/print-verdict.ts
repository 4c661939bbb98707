import { createTwoFilesPatch } from 'diff';
import { stringify } from 'yaml';

import { inert } from '../terminal.ts';

import type { PodVerdict } from '../../app/kube/check-pods.ts';
import type { InjectedSidecar } from '../../app/kube/injected-sidecar.ts';
import type { Terminal } from '../terminal.ts';

/** The pods of one file. */
export type FilePods = { readonly file: string; readonly pods: readonly PodVerdict[] };

/** What would become of a pod, for people. */
export function printVerdict(file: string, pod: PodVerdict, diff: boolean, terminal: Terminal): void {
  const where = `${file}:${pod.line}: ${pod.kind} ${pod.namespace}/${pod.name}`;
  const head = terminal.style('out', 'bold', inert(where));
  switch (pod.verdict) {
    case 'refused':
      terminal.out(`${head}: ${terminal.style('out', 'red', 'refused')}`);
      for (const { kind, path, message } of pod.refusals) terminal.out(`  ${inert(`${path}: ${message}`)} (${kind})`);
      return;
    case 'skipped':
      terminal.out(`${head}: ${terminal.style('out', 'yellow', 'skipped')}, ${inert(pod.reason)}`);
      return;
    case 'injected':
      terminal.out(`${head}: ${terminal.style('out', 'green', 'injected')}`);
      for (const line of sidecarLines(pod.sidecar)) terminal.out(`  ${inert(line)}`);
      for (const warning of pod.warnings)
        terminal.out(`  ${terminal.style('out', 'yellow', `warning: ${inert(warning)}`)}`);
      if (diff) for (const line of podDiff(where, pod.before, pod.after)) terminal.out(coloured(inert(line), terminal));
      return;
    default:
      pod satisfies never;
  }
}

/** The same as data. */
export function verdictJson({ file, pods }: FilePods): readonly unknown[] {
  return pods.map((pod) => {
    if (pod.verdict !== 'injected') return { file, ...pod };
    const { before: _, after: _after, ...rest } = pod;
    return { file, ...rest };
  });
}

function sidecarLines(sidecar: InjectedSidecar | undefined): readonly string[] {
  if (sidecar === undefined) return [];
  const { guarded, outbound, probes, initContainers, capture, mode } = sidecar;
  const calls = outbound.map(({ listen, destinations }) => {
    return `${listen} to ${destinations.length === 0 ? 'no destination' : destinations.join(', ')}`;
  });
  return [
    `guarded: ${guarded.length === 0 ? 'no port' : guarded.map(({ listen, upstream }) => `${listen} -> ${upstream}`).join(', ')}`,
    `capture: ${capture}; policy mode: ${mode}; init containers: ${initContainers.join(', ')}`,
    ...(calls.length === 0 ? [] : [`calls of the agent: ${calls.join('; ')}`]),
    ...(probes.length === 0 ? [] : [`probes through the sidecar: ${probes.join(', ')}`]),
  ];
}

function podDiff(where: string, before: unknown, after: unknown): readonly string[] {
  const patch = createTwoFilesPatch(where, where, yaml(before), yaml(after), undefined, undefined, {
    headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
  });
  return patch.trimEnd().split('\n');
}

function yaml(pod: unknown): string {
  return stringify(pod, { lineWidth: 0, aliasDuplicateObjects: false });
}

function coloured(line: string, terminal: Terminal): string {
  if (line.startsWith('+')) return terminal.style('out', 'green', line);
  return line.startsWith('-') ? terminal.style('out', 'red', line) : line;
}
