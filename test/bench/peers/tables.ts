import { rounded } from './rounding.ts';
import { medianAt, median, ratio } from './stats.ts';
import type { FigureName, Place, Ratio, Sample } from './stats.ts';
import type { Step, Workload } from './workloads.ts';

/** What every table is made of: all samples of the run (ratios reach across workloads), and what targets are called. */
export type Shown = { readonly samples: readonly Sample[]; readonly titles: ReadonlyMap<string, string> };

/** What everybody is compared with, and how the heads of columns say so. */
export const REFERENCES: readonly { readonly target: string; readonly short: string }[] = [
  { target: 'envoy-opa-log', short: 'Envoy + OPA + log' },
  { target: 'envoy-rbac', short: 'Envoy RBAC' },
  { target: 'node-raw', short: 'passthrough' },
];

/** Targets whose rows say where this project wins and loses: ours, in all its arrangements. */
const OURS = /^sallyport/;

type Column = { readonly head: string; readonly cell: (place: Place) => string };

/** CPU, throughput and memory. */
export function costTable(shown: Shown, workload: Workload, step: Step): string {
  const figure = figureOf(shown);
  return table(shown, workload, step, [
    { head: 'CPU us a request', cell: (at) => figure(at, 'cpuMicros') },
    ...against(shown, workload, step, 'cpuMicros'),
    { head: 'requests a second', cell: (at) => figure(at, 'perSecond') },
    { head: 'RSS MiB (peak)', cell: (at) => `${figure(at, 'rssMiB')} (${figure(at, 'peakRssMiB')})` },
    ...against(shown, workload, step, 'rssMiB', 'RSS ').slice(0, 1),
  ]);
}

/** Latency from the intended start; beside trouble also what it is over the same target's in calm. */
export function latencyTable(shown: Shown, workload: Workload, step: Step): string {
  const figure = figureOf(shown);
  const { calm } = workload;
  const troubled: readonly Column[] =
    calm === undefined
      ? []
      : [
          {
            head: 'p99 / its own in calm',
            cell: (at) => ratioCell(ratio(shown.samples, at, { ...at, workload: calm }, 'p99'), false),
          },
          { head: 'refused or failed', cell: (at) => share(medianAt(shown.samples, at, 'refusedShare')) },
        ];
  return table(shown, workload, step, [
    { head: 'p50 us', cell: (at) => figure(at, 'p50') },
    { head: 'p90', cell: (at) => figure(at, 'p90') },
    { head: 'p99', cell: (at) => figure(at, 'p99') },
    { head: 'p99.9', cell: (at) => figure(at, 'p999') },
    ...against(shown, workload, step, 'p50', 'p50 ').slice(0, 1),
    ...against(shown, workload, step, 'p99', 'p99 '),
    ...troubled,
  ]);
}

/** From nothing to the first answer. */
export function startTable(shown: Shown, workload: Workload, step: Step): string {
  const figure = figureOf(shown);
  return table(shown, workload, step, [
    { head: 'ready after ms', cell: (at) => figure(at, 'readyMs') },
    ...against(shown, workload, step, 'readyMs'),
    { head: 'RSS MiB then', cell: (at) => figure(at, 'rssMiB') },
  ]);
}

/** What else the machine did meanwhile. */
export function loadLine(samples: readonly Sample[]): string {
  const others = taken(samples, 'otherLoad');
  const loads = taken(samples, 'loadAverage');
  const said = [
    ...(others.length === 0 ? [] : [`others used ${share(median(others))} (at most ${share(Math.max(...others))})`]),
    ...(loads.length === 0
      ? []
      : [`load average before ${rounded(median(loads))} (at most ${rounded(Math.max(...loads))})`]),
  ];
  return said.length === 0 ? '' : `Meanwhile: ${said.join('; ')}.`;
}

function taken(samples: readonly Sample[], figure: FigureName): readonly number[] {
  return samples.flatMap(({ figures }) => figures[figure] ?? []);
}

function figureOf({ samples }: Shown): (place: Place, figure: FigureName) => string {
  return (place, figure) => rounded(medianAt(samples, place, figure));
}

/** One column for each reference that was measured here. */
function against(shown: Shown, workload: Workload, step: Step, figure: FigureName, before = ''): readonly Column[] {
  return REFERENCES.flatMap(({ target, short }) => {
    const to = { workload: workload.id, step: step.id, target };
    if (medianAt(shown.samples, to, figure) === undefined) return [];
    const head = `${before}/ ${short}`;
    return [
      {
        head,
        cell: (at: Place) =>
          at.target === target ? '1' : ratioCell(ratio(shown.samples, at, to, figure), OURS.test(at.target)),
      },
    ];
  });
}

function ratioCell(found: Ratio | undefined, ours: boolean): string {
  if (found === undefined) return '-';
  const { median, least, greatest, rounds } = found;
  const spread = rounds === 1 ? '' : ` (${rounded(least)}-${rounded(greatest)})`;
  if (!ours || (least <= 1 && greatest >= 1)) return `${rounded(median)}${spread}`;
  return greatest < 1 ? `**${rounded(median)}**${spread}` : `**${rounded(median)} behind**${spread}`;
}

function table(shown: Shown, workload: Workload, step: Step, columns: readonly Column[]): string {
  const here = new Set(
    shown.samples.filter((one) => one.workload === workload.id && one.step === step.id).map(({ target }) => target),
  );
  const rows = workload.targets
    .filter((target) => here.has(target))
    .map((target) => {
      const cells = columns.map(({ cell }) => cell({ workload: workload.id, step: step.id, target }));
      return row([
        OURS.test(target) ? `**${shown.titles.get(target) ?? target}**` : (shown.titles.get(target) ?? target),
        ...cells,
      ]);
    });
  return [row(['target', ...columns.map(({ head }) => head)]), `|---|${'--:|'.repeat(columns.length)}`, ...rows].join(
    '\n',
  );
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function share(value: number | undefined): string {
  return value === undefined ? '-' : `${rounded(value * 100)} %`;
}
