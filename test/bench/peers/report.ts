import { judge } from './aims.ts';
import type { Aim, Verdict } from './aims.ts';
import type { Machine } from './machine.ts';
import { latencyTable, costTable, loadLine, startTable } from './tables.ts';
import type { Shown } from './tables.ts';
import { median } from './stats.ts';
import type { Sample } from './stats.ts';
import { rounded } from './rounding.ts';
import type { Judge } from './target.ts';
import type { Workload } from './workloads.ts';

/** A target as the report names it. */
export type TargetFacts = {
  readonly id: string;
  readonly title: string;
  readonly judge: Judge;
  readonly decisionLog: boolean;
  readonly version: string;
};

/** A target that was not measured, everywhere or in one workload, and why. */
export type LeftOut = { readonly target: string; readonly workload: string | undefined; readonly reason: string };

/** Everything one run found. */
export type Run = {
  /** ISO 8601, of its begin. */
  readonly date: string;
  readonly minutes: number;
  readonly commit: string;
  /** How to run the same again. */
  readonly command: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly machine: Machine;
  readonly targets: readonly TargetFacts[];
  readonly leftOut: readonly LeftOut[];
  readonly samples: readonly Sample[];
};

/** The page for people: `peers.md`. */
export function page(run: Run, workloads: readonly Workload[], aims: readonly Aim[]): string {
  const parts = [
    '# Side by side with Envoy, OPA and nginx',
    opening(run),
    warning(run),
    '## Aims, and what became of them',
    aimsTable(run, aims),
    '## How it was measured',
    METHOD,
    '## What the figures do not say',
    CAVEATS,
    '## Who took part',
    targetsTable(run),
    leftOutList(run),
    '## The machine',
    machineList(run.machine),
    ...workloads.flatMap((workload) => workloadPart(run, workload)),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** The raw figures of all rounds: `peers.json`. */
export function data(run: Run): string {
  return `${JSON.stringify({ format: 1, ...run }, null, 1)}\n`;
}

function opening({ date, commit, command, rounds, seconds, minutes }: Run): string {
  return `What one request costs behind each proxy, on one machine, under the same load, in one run. Written by \`${command}\` on ${date.slice(0, 10)} at commit ${commit}: ${plural(rounds, 'round')} of ${seconds} s a figure, ${rounded(minutes)} minutes. The raw figures of all rounds are in [peers.json](peers.json).

Every ratio is the median of the ratios of the rounds, and in brackets the least and the greatest of them. Below 1 is cheaper or faster. In Sallyport's rows a ratio is **bold** where all rounds agree that it is ahead, and **bold with \`behind\`** where all agree that it is behind; the rest is within the noise of the machine.`;
}

/** Other work that uses more of the machine than this makes latency and throughput useless, and CPU a request uncertain. */
const MOST_OTHER_LOAD = 0.1;

function warning({ samples }: Run): string {
  const other = median(samples.flatMap(({ figures }) => figures.otherLoad ?? []));
  if (other === undefined || other <= MOST_OTHER_LOAD) return '';
  return `**The machine was busy: other work used ${percent(other)} of it (median of all figures). Latency and throughput below are those of a starved machine; the ratios of CPU are uncertain.**`;
}

const METHOD = `- All proxies hold the same certificates (P-256), speak TLS 1.3 only, require a client certificate, and forward to the same small upstream on loopback. OPA and Sallyport run the very same Rego; the native filter gets the same rules in its own language. Before a target is measured it has to let the right request in and keep the wrong ones out.
- One worker each. Where the machine has the cores, all processes of a target share one, and load and upstream share another.
- In each round all targets take their turn, from another first one each time, so that drift of the machine falls on all alike.
- CPU: user and system time of all processes of a target, from the kernel's accounting, over the requests of the window. At a constant rate it is higher than saturated, since fewer requests share a wake-up: compare only within a table.
- Saturated: 32 requests at once, each connection asking again when it was answered. At a rate: requests evenly spaced over all connections, latency counted from when a request was due, so that a stall is charged for everything that it held up.
- Memory: resident memory of all processes of a target after the load, and in brackets the sum of what each had at most.
- Start: from the start of the first process until an allowed request was answered.
- "Others": the share of the machine's CPU time that went neither to the target nor to the load, the median of the figures and the greatest.`;

const CAVEATS = `- OPA's own plugin for Envoy cannot be had from the package registries. OPA itself stands here, unmodified, built from its library with a small ext_authz server of ours that does what the plugin does: prepared query, unix socket, and OPA's own decision log on its console, which goes to a file.
- The peers are measured with and without their log, Sallyport only with its records: it has no switch that leaves a decision unrecorded. Its records are chained by hashes and kept in order, which none of the others does.
- Envoy's native RBAC filter knows no Rego, no data from elsewhere, no bodies. It is the fastest way to put rules into Envoy, and shows what the hop to OPA costs.
- Loopback, small virtual machines, one core: figures of one run on one machine. Ratios move by a fifth from machine to machine; a single figure says nothing.
- nginx and the bare Node programs decide nothing and write nothing down. They are floors, not alternatives.`;

function aimsTable(run: Run, aims: readonly Aim[]): string {
  const rows = aims.map((aim) => `| ${aim.title} | <= ${aim.atMost} | ${verdict(judge(aim, run.samples))} |`);
  return ['| aim | ratio | measured | |', '|---|--:|--:|---|', ...rows].join('\n');
}

function verdict(found: Verdict): string {
  switch (found.kind) {
    case 'unknown':
      return '- | not measured in this run';
    case 'met':
      return `${rounded(found.ratio.median)} (${rounded(found.ratio.least)}-${rounded(found.ratio.greatest)}) | **met**`;
    case 'missed':
      return `${rounded(found.ratio.median)} (${rounded(found.ratio.least)}-${rounded(found.ratio.greatest)}) | **missed** by ${percent(found.by)}`;
    default:
      return found satisfies never;
  }
}

function percent(share: number): string {
  return `${rounded(share * 100)} %`;
}

function targetsTable({ targets }: Run): string {
  const rows = targets.map(({ id, title, judge, decisionLog, version }) => {
    return `| \`${id}\` | ${title} | ${judge} | ${decisionLog ? 'each decision' : 'nothing'} | ${version} |`;
  });
  return ['| id | | decides by | writes down | version |', '|---|---|---|---|---|', ...rows].join('\n');
}

function leftOutList({ leftOut }: Run): string {
  const lines = leftOut.filter(({ workload }) => workload === undefined).map(leftOutLine);
  return lines.length === 0 ? '' : `Left out:\n${lines.join('\n')}`;
}

function leftOutLine({ target, reason }: LeftOut): string {
  return `- \`${target}\`: ${reason}`;
}

function machineList(machine: Machine): string {
  const { cores, processor, memoryGiB, kernel, governor, node, pinned } = machine;
  const placed = pinned ? 'target on one core, load and upstream on another' : 'not pinned to cores';
  const clock = governor === undefined ? 'the kernel shows no clock policy' : `clock policy ${governor}`;
  return `${plural(cores, 'core')} of ${processor}, ${memoryGiB} GiB, ${kernel}, ${clock}; Node ${node}; ${placed}.`;
}

function workloadPart(run: Run, workload: Workload): readonly string[] {
  const of = run.samples.filter(({ workload: id }) => id === workload.id);
  const missing = run.leftOut.filter(({ workload: id }) => id === workload.id);
  if (of.length === 0 && missing.length === 0) return [];
  const shown: Shown = { samples: run.samples, titles: new Map(run.targets.map(({ id, title }) => [id, title])) };
  const steps = workload.steps.flatMap((step) => {
    const here = of.filter(({ step: id }) => id === step.id);
    if (here.length === 0) return [];
    const head = `### ${step.title}`;
    if (step.kind === 'start') return [startTable(shown, workload, step), loadLine(here)];
    const latency = step.kind === 'rate' ? [latencyTable(shown, workload, step)] : [];
    return [head, costTable(shown, workload, step), ...latency, loadLine(here)];
  });
  const absent = missing.length === 0 ? [] : [`Left out:\n${missing.map(leftOutLine).join('\n')}`];
  return [`## ${workload.title}`, workload.explains, ...steps, ...absent];
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
