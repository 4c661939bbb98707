import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { AIMS, judge } from './aims.ts';
import type { Aim } from './aims.ts';
import { data, page } from './report.ts';
import type { Run } from './report.ts';
import { rounded } from './rounding.ts';
import type { FigureName, Sample } from './stats.ts';
import { WORKLOADS } from './workloads.ts';
import type { Load, Workload } from './workloads.ts';

const LOAD = (): Load => ({ protocol: 'http1', connections: 1, requests: [], loop: { kind: 'closed' } });

const GET: Workload = {
  id: 'get',
  title: 'A workload',
  explains: 'What is sent.',
  policy: 'rbac',
  targets: ['envoy-opa-log', 'envoy-rbac', 'node-raw', 'sallyport'],
  steps: [
    { id: 'saturated', title: 'Saturated', kind: 'saturated', load: LOAD },
    { id: 'rate', title: 'At a rate', kind: 'rate', load: LOAD },
  ],
};
const TROUBLE: Workload = {
  ...GET,
  id: 'trouble',
  title: 'Trouble',
  steps: GET.steps.slice(1),
  trouble: {},
  calm: 'get',
};
const START: Workload = {
  ...GET,
  id: 'start',
  title: 'Start',
  steps: [{ id: 'start', title: 'Start', kind: 'start', starts: 2 }],
};

function samples(
  target: string,
  figure: FigureName,
  values: readonly number[],
  at = 'get saturated',
): readonly Sample[] {
  const [workload = '', step = ''] = at.split(' ');
  return values.map((value, round) => ({ workload, step, target, round, figures: { [figure]: value } }));
}

const TITLES = {
  'envoy-opa-log': 'Envoy + OPA',
  'envoy-rbac': 'Envoy RBAC',
  'node-raw': 'Passthrough',
  sallyport: 'Sallyport',
};

function run(all: readonly (readonly Sample[])[], more: Partial<Run> = {}): Run {
  return {
    date: '2026-11-21T22:00:00.000Z',
    minutes: 12.34,
    commit: 'abc1234',
    command: 'npm run bench:peers',
    rounds: 3,
    seconds: 3,
    machine: {
      cores: 2,
      processor: 'A processor',
      memoryGiB: 8,
      kernel: 'Linux 6',
      governor: undefined,
      node: 'v26.10.0',
      pinned: true,
    },
    targets: Object.entries(TITLES).map(([id, title]) => {
      return { id, title, judge: 'Rego', decisionLog: id === 'sallyport', version: '1.2.3' };
    }),
    leftOut: [],
    samples: all.flat(),
    ...more,
  };
}

function split(line: string): readonly string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** The cells of a target's row in the table that has a column of this name. */
function cells(text: string, column: string, target: string): Record<string, string> {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => line.startsWith('|') && split(line).includes(column));
  assert.ok(at >= 0, `no table has the column ${column}`);
  const end = lines.findIndex((line, index) => index > at && !line.startsWith('|'));
  const row = lines.slice(at, end).find((line) => split(line)[0]?.replaceAll('*', '') === target);
  assert.ok(row !== undefined, `${target} has no row`);
  return Object.fromEntries(split(lines[at] ?? '').map((head, index) => [head, split(row)[index] ?? '']));
}

describe('rounding', () => {
  for (const [value, text] of [
    [0, '0'],
    [0.00004, '< 0.001'],
    [0.01234, '0.012'],
    [0.1234, '0.123'],
    [1, '1'],
    [1.005, '1'],
    [12.345, '12.3'],
    [99.96, '100'],
    [448.4, '448'],
    [12_345, '12,300'],
    [undefined, '-'],
    [Number.NaN, '-'],
    [Number.POSITIVE_INFINITY, '-'],
  ] as const) {
    test(`${value} is written ${text}`, () => assert.equal(rounded(value), text));
  }

  test('is never further off than half a percent, from 0.1 on', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 1e6, noNaN: true }), (value) => {
        const shown = Number(rounded(value).replaceAll(',', ''));
        assert.ok(Math.abs(shown - value) <= value * 0.005_01);
      }),
    );
  });
});

describe('the page', () => {
  test('shows medians, ratios and their spread', () => {
    const text = page(
      run([samples('sallyport', 'cpuMicros', [40, 44, 48]), samples('envoy-opa-log', 'cpuMicros', [400, 400, 400])]),
      [GET],
      [],
    );
    const row = cells(text, 'CPU us a request', 'Sallyport');
    assert.equal(row['CPU us a request'], '44');
    assert.equal(row['/ Envoy + OPA + log'], '**0.11** (0.1-0.12)');
    assert.equal(cells(text, 'CPU us a request', 'Envoy + OPA')['/ Envoy + OPA + log'], '1');
  });

  test('says where we are behind, and keeps quiet where rounds disagree', () => {
    const text = page(
      run([
        samples('sallyport', 'cpuMicros', [50, 60, 70]),
        samples('envoy-rbac', 'cpuMicros', [40, 40, 40]),
        samples('node-raw', 'cpuMicros', [60, 60, 60]),
      ]),
      [GET],
      [],
    );
    const row = cells(text, 'CPU us a request', 'Sallyport');
    assert.equal(row['/ Envoy RBAC'], '**1.5 behind** (1.25-1.75)');
    assert.equal(row['/ passthrough'], '1 (0.833-1.17)');
  });

  test('never boasts in the rows of others', () => {
    const text = page(
      run([samples('node-raw', 'cpuMicros', [20, 20, 20]), samples('envoy-rbac', 'cpuMicros', [40, 40, 40])]),
      [GET],
      [],
    );
    assert.equal(cells(text, 'CPU us a request', 'Passthrough')['/ Envoy RBAC'], '0.5 (0.5-0.5)');
  });

  test('of one round there is no spread', () => {
    const text = page(
      run([samples('sallyport', 'cpuMicros', [40]), samples('envoy-rbac', 'cpuMicros', [80])]),
      [GET],
      [],
    );
    assert.equal(cells(text, 'CPU us a request', 'Sallyport')['/ Envoy RBAC'], '**0.5**');
  });

  test('a reference that was not measured has no column, a target no row', () => {
    const text = page(run([samples('sallyport', 'cpuMicros', [40, 44, 48])]), [GET], []);
    const row = cells(text, 'CPU us a request', 'Sallyport');
    assert.deepEqual(
      Object.keys(row).filter((head) => head.startsWith('/')),
      [],
    );
    assert.throws(() => cells(text, 'CPU us a request', 'Envoy RBAC'), /no row/);
  });

  test('says who was left out, everywhere or here, and why', () => {
    const text = page(
      run([samples('sallyport', 'cpuMicros', [40])], {
        leftOut: [
          { target: 'nginx', workload: undefined, reason: 'there is no package for this system' },
          { target: 'envoy-rbac', workload: 'get', reason: 'it cannot read bodies' },
        ],
      }),
      [GET],
      [],
    );
    assert.match(text, /\n## Who took part\n[^#]*- `nginx`: there is no package for this system\n/);
    assert.match(text, /\n## A workload\n[^]*- `envoy-rbac`: it cannot read bodies\n/);
  });

  test('a workload in which everybody failed is still there, with the reasons', () => {
    const leftOut = [{ target: 'sallyport', workload: 'get', reason: 'it did not start' }];
    assert.match(page(run([], { leftOut }), [GET], []), /## A workload\n[^]*it did not start/);
  });

  test('a workload that was not asked for is not there', () => {
    assert.doesNotMatch(page(run([]), [GET], []), /## A workload/);
  });

  test('a step at a rate has its latency, and the ratio of it', () => {
    const at = 'get rate';
    const text = page(
      run([
        samples('sallyport', 'p99', [500, 500, 500], at),
        samples('envoy-opa-log', 'p99', [5_000, 10_000, 20_000], at),
        samples('sallyport', 'p50', [12_345], at),
      ]),
      [GET],
      [],
    );
    const row = cells(text, 'p50 us', 'Sallyport');
    assert.equal(row['p50 us'], '12,300');
    assert.equal(row['p99 / Envoy + OPA + log'], '**0.05** (0.025-0.1)');
  });

  test('under trouble p99 is compared with that of the same target in calm, and refusals are told', () => {
    const text = page(
      run([
        samples('sallyport', 'p99', [500, 500, 500], 'get rate'),
        samples('sallyport', 'p99', [1_000, 1_500, 2_000], 'trouble rate'),
        samples('sallyport', 'refusedShare', [0.015, 0.02, 0.5], 'trouble rate'),
      ]),
      [TROUBLE],
      [],
    );
    const row = cells(text, 'p99 / its own in calm', 'Sallyport');
    assert.equal(row['p99 / its own in calm'], '3 (2-4)');
    assert.equal(row['refused or failed'], '2 %');
  });

  test('starts have a table of their own; several starts of a round count once', () => {
    const once = samples('sallyport', 'readyMs', [400, 600], 'start start');
    const again = samples('sallyport', 'readyMs', [600, 600], 'start start');
    const text = page(run([once, again, samples('node-raw', 'readyMs', [100, 100], 'start start')]), [START], []);
    const row = cells(text, 'ready after ms', 'Sallyport');
    assert.equal(row['ready after ms'], '550');
    assert.equal(row['/ passthrough'], '**5.5 behind** (5-6)');
  });

  test('says what else the machine did', () => {
    const text = page(run([samples('sallyport', 'otherLoad', [0.01, 0.03, 0.2])]), [GET], []);
    assert.match(text, /Meanwhile: others used 3 % \(at most 20 %\)\./);
  });

  test('warns where other work took more than a tenth of the machine', () => {
    const text = (loads: readonly number[]): string => page(run([samples('sallyport', 'otherLoad', loads)]), [GET], []);
    assert.match(text([0.05, 0.5, 0.6]), /\*\*The machine was busy: other work used 50 % of it/);
    assert.doesNotMatch(text([0.05, 0.1, 0.6]), /busy/);
    assert.doesNotMatch(page(run([]), [GET], []), /busy/);
  });

  test('says when, at which commit, how, on what', () => {
    const text = page(run([]), [GET], []);
    for (const fact of [
      '2026-11-21',
      'abc1234',
      '`npm run bench:peers`',
      '3 rounds of 3 s',
      '2 cores of A processor',
      'Linux 6',
      'v26.10.0',
    ]) {
      assert.ok(text.includes(fact), fact);
    }
    assert.match(text, /\| `sallyport` \| Sallyport \| Rego \| each decision \| 1\.2\.3 \|/);
    assert.match(text, /\| `node-raw` \| Passthrough \| Rego \| nothing \| 1\.2\.3 \|/);
  });

  test('does not depend on the order of rounds or samples', () => {
    const values = fc.array(fc.integer({ min: 1, max: 9_999 }), { minLength: 2, maxLength: 6 });
    const all = fc.tuple(values, values).map(([us, them]) => {
      return [...samples('sallyport', 'cpuMicros', us), ...samples('envoy-rbac', 'cpuMicros', them)];
    });
    const shuffled = all.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        assert.equal(page(run([other]), [GET], []), page(run([list]), [GET], []));
      }),
    );
  });
});

/** Ours, while the other is always at 100. */
function against(us: readonly number[]): readonly Sample[] {
  return [
    ...samples('sallyport', 'cpuMicros', us),
    ...samples(
      'envoy-rbac',
      'cpuMicros',
      us.map(() => 100),
    ),
  ];
}

describe('the aims', () => {
  const AIM: Aim = {
    title: 'CPU against RBAC',
    of: { workload: 'get', step: 'saturated', target: 'sallyport' },
    to: { workload: 'get', step: 'saturated', target: 'envoy-rbac' },
    figure: 'cpuMicros',
    atMost: 1.1,
  };

  test('met at the bound, by the median', () => {
    assert.equal(judge(AIM, against([105, 110, 200])).kind, 'met');
  });

  test('missed above it, and by how much', () => {
    const verdict = judge(AIM, against([132, 90, 140]));
    assert.ok(verdict.kind === 'missed');
    assert.ok(Math.abs(verdict.by - 0.2) < 1e-9);
  });

  test('unknown where a side is missing', () => {
    assert.deepEqual(judge(AIM, samples('sallyport', 'cpuMicros', [1])), { kind: 'unknown' });
  });

  test('each has its row: what was wanted, what was measured, what became of it', () => {
    assert.match(
      page(run([against([99, 100, 101])]), [GET], [AIM]),
      /\| CPU against RBAC \| <= 1\.1 \| 1 \(0\.99-1\.01\) \| \*\*met\*\* \|/,
    );
    assert.match(
      page(run([against([132, 132, 132])]), [GET], [AIM]),
      /\| <= 1\.1 \| 1\.32 \(1\.32-1\.32\) \| \*\*missed\*\* by 20 % \|/,
    );
    assert.match(page(run([against([])]), [GET], [AIM]), /\| <= 1\.1 \| - \| not measured in this run \|/);
  });

  test('every aim is about places that workloads have', () => {
    for (const { title, of, to } of AIMS) {
      for (const place of [of, to]) {
        const workload = WORKLOADS.find(({ id }) => id === place.workload);
        assert.ok(
          workload !== undefined && workload.targets.includes(place.target),
          `${title}: ${place.workload} has no ${place.target}`,
        );
        assert.ok(
          workload.steps.some(({ id }) => id === place.step),
          `${title}: ${place.workload} has no ${place.step}`,
        );
      }
    }
  });
});

describe('the raw figures', () => {
  test('are all there, and the same after a round trip', () => {
    const given = run([samples('sallyport', 'cpuMicros', [1.25, 2])]);
    const read = JSON.parse(data(given)) as Run & { format: number };
    assert.equal(read.format, 1);
    assert.deepEqual(read.samples, given.samples);
    assert.equal(read.commit, 'abc1234');
  });
});
