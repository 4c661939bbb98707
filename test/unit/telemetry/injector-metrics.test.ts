import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createInjectorMetrics, type InjectorFigures } from '../../../src/io/telemetry/injector-metrics.ts';

const NONE: InjectorFigures = { servingNotAfterMs: undefined, caBundleInPlace: undefined, watches: [], namespaces: [] };

/** Lines of a scrape that are of Sallyport and no comments. */
async function lines(
  figures: InjectorFigures | undefined,
  use?: (metrics: ReturnType<typeof createInjectorMetrics>) => void,
): Promise<readonly string[]> {
  const metrics = createInjectorMetrics({ version: '1.2.3' }, { figures: () => figures, nowMs: () => 100_000 });
  use?.(metrics);
  return (await metrics.metrics()).split('\n').filter((line) => line.startsWith('sallyport_'));
}

const has = (all: readonly string[], ...wanted: readonly string[]): void => {
  for (const line of wanted) assert.ok(all.includes(line), `${line}\n\n${all.join('\n')}`);
};
const about = (all: readonly string[], name: string): readonly string[] => all.filter((line) => line.startsWith(name));

describe('metrics of an injector', () => {
  test('requests by outcome, refusals by each reason once, durations in seconds', async () => {
    const all = await lines(NONE, (metrics) => {
      metrics.answered({ kind: 'injected' }, 2);
      metrics.answered({ kind: 'refused', reasons: ['name_taken', 'uid_taken', 'name_taken'] }, 20);
      for (const ms of [Number.NaN, -1, Number.POSITIVE_INFINITY]) metrics.answered({ kind: 'failed' }, ms);
      metrics.apiFailed('watch', 'unavailable');
    });
    has(
      all,
      'sallyport_build_info{version="1.2.3"} 1',
      'sallyport_injection_requests_total{outcome="injected"} 1',
      'sallyport_injection_requests_total{outcome="skipped"} 0',
      'sallyport_injection_requests_total{outcome="failed"} 3',
      'sallyport_injection_refusals_total{reason="name_taken"} 1',
      'sallyport_injection_refusals_total{reason="uid_taken"} 1',
      'sallyport_injection_duration_seconds_count 5',
      'sallyport_injection_duration_seconds_sum 0.022',
      'sallyport_api_server_failures_total{verb="watch",kind="unavailable"} 1',
    );
  });

  test('what is not known is left out', async () => {
    for (const figures of [NONE, undefined]) {
      const all = await lines(figures);
      assert.deepEqual(about(all, 'sallyport_serving'), []);
      assert.deepEqual(about(all, 'sallyport_watch'), []);
    }
  });

  test('certificate, caBundle, watches, namespaces', async () => {
    const all = await lines({
      servingNotAfterMs: 5_000,
      caBundleInPlace: false,
      watches: [
        { resource: 'namespaces', staleSinceMs: undefined },
        { resource: 'configmaps', staleSinceMs: 40_000 },
      ],
      namespaces: [
        { namespace: 'a', revision: 'r1', candidateRevision: 'r2', problem: true },
        { namespace: 'b', revision: undefined, problem: false },
      ],
    });
    has(
      all,
      'sallyport_serving_certificate_not_after_timestamp_seconds 5',
      'sallyport_serving_certificate_ca_bundle_in_place 0',
      'sallyport_watch_stale_seconds{resource="namespaces"} 0',
      'sallyport_watch_stale_seconds{resource="configmaps"} 60',
      'sallyport_namespace_policy_problem{namespace="a"} 1',
      'sallyport_namespace_policy_problem{namespace="b"} 0',
      'sallyport_namespace_policy_info{namespace="a",policy="active",revision="r1"} 1',
      'sallyport_namespace_policy_info{namespace="a",policy="candidate",revision="r2"} 1',
    );
    assert.equal(about(all, 'sallyport_namespace_policy_info').length, 2);
  });

  test('a thousand namespaces have series of their own, the rest is counted', async () => {
    const namespaces = Array.from({ length: 1_003 }, (_, index) => ({
      namespace: `n${index}`,
      revision: 'r',
      problem: false,
    }));
    const all = await lines({ ...NONE, namespaces });
    assert.equal(about(all, 'sallyport_namespace_policy_problem').length, 1_000);
    has(all, 'sallyport_namespaces_unlisted 3');
  });
});
