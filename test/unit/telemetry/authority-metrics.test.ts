import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createAuthorityMetrics, type AuthorityMetricFigures } from '../../../src/io/telemetry/authority-metrics.ts';

const FIGURES: AuthorityMetricFigures = {
  issued: 7,
  refused: { caller_refused: 3, rate_limited: 1 },
  refusals: new Map([['pod_address', 2]]),
  living: 5,
  revoked: 1,
  crlNumber: 42,
  nextUpdateMs: 1_700_000_600_000,
  issuerEndsMs: 1_731_536_000_000,
  roots: [{ sha256: 'ab12', notAfterMs: 2_000_000_000_500 }],
  connections: 9,
  waiting: 8,
  recordsPending: 4,
  recordsLost: 2,
  podsUnproven: 6,
  isWell: true,
  isPublished: true,
};

/** Lines of one metric, without its name. */
async function lines(metrics: { metrics(): Promise<string> }, name: string): Promise<readonly string[]> {
  const all = (await metrics.metrics()).split('\n');
  const prefix = `sallyport_authority_${name}`;
  return all
    .filter((line) => line.startsWith(`${prefix} `) || line.startsWith(`${prefix}{`))
    .map((line) => line.slice(prefix.length));
}

const VALUES: readonly (readonly [name: string, line: string])[] = [
  ['certificates', ' 5'],
  ['revoked_certificates', ' 1'],
  ['crl_number', ' 42'],
  ['crl_next_update_timestamp_seconds', ' 1700000600'],
  ['issuer_not_after_timestamp_seconds', ' 1731536000'],
  ['root_not_after_timestamp_seconds', '{sha256="ab12"} 2000000000.5'],
  ['open_connections', ' 9'],
  ['waiting_requests', ' 8'],
  ['records_pending', ' 4'],
  ['up', ' 1'],
  ['roots_published', ' 1'],
  ['certificates_issued_total', ' 7'],
  ['records_lost_total', ' 2'],
  ['renewals_unproven_total', ' 6'],
  ['certificates_refused_total', '{fault="caller_refused"} 3'],
  ['requests_refused_total', '{reason="pod_address"} 2'],
];

for (const [name, line] of VALUES)
  test(`${name}${line}`, async () => {
    const metrics = createAuthorityMetrics('1.2.3', () => FIGURES);
    assert.equal((await lines(metrics, name))[0], line);
    // Read at each scrape, not added up.
    assert.equal((await lines(metrics, name))[0], line);
  });

test('what is not known is left out, and what is gone goes', async () => {
  let figures: AuthorityMetricFigures | undefined = FIGURES;
  const metrics = createAuthorityMetrics('1.2.3', () => figures);
  await metrics.metrics();
  figures = {
    ...FIGURES,
    isPublished: undefined,
    roots: [],
    nextUpdateMs: Number.POSITIVE_INFINITY,
    issuerEndsMs: 0,
    isWell: false,
  };
  for (const name of [
    'roots_published',
    'root_not_after_timestamp_seconds',
    'crl_next_update_timestamp_seconds',
    'issuer_not_after_timestamp_seconds',
  ])
    // oxlint-disable-next-line no-await-in-loop -- one scrape each
    assert.deepEqual(await lines(metrics, name), [], name);
  assert.deepEqual(await lines(metrics, 'up'), [' 0']);
  figures = undefined;
  assert.deepEqual(await lines(metrics, 'certificates'), []);
  assert.deepEqual(await lines(metrics, 'certificates_issued_total'), [' 0']);
});

test('the version, and the process itself', async () => {
  const metrics = createAuthorityMetrics('1.2.3', () => FIGURES);
  const text = await metrics.metrics();
  assert.match(text, /^sallyport_build_info\{version="1\.2\.3"\} 1$/m);
  assert.match(text, /^process_cpu_seconds_total /m);
  assert.match(metrics.contentType, /^text\/plain/);
});
