import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { parse } from 'yaml';

import { chartSettings } from '../../../../src/app/kube/chart-settings.ts';

const CHART = join(import.meta.dirname, '..', '..', '..', '..', 'helm', 'sallyport');

function settings(values: unknown) {
  const made = chartSettings(values, '0.1.0');
  assert.ok(made.ok, JSON.stringify(made));
  return made.value;
}

test('no values are the values of the chart: its defaults and ours are the same', () => {
  const { extra: chartExtra, ...chart } = settings(parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')));
  const { extra, ...none } = settings({});
  assert.deepEqual(none, chart);
  assert.deepEqual([extra, chartExtra], [{}, {}]);
});

test('image, trust domain and what is injected come from the values', () => {
  const made = settings({
    image: { repository: 'registry.example.org/sallyport', tag: '9', pullPolicy: 'Always' },
    trustDomain: 'example.org',
    sidecar: { capture: 'plain', mode: 'shadow', overrides: ['opt-out'] },
    authority: { config: { kubernetes: { audience: 'other' } } },
  });
  assert.equal(made.image, 'registry.example.org/sallyport:9');
  assert.deepEqual(
    [made.imagePullPolicy, made.capture, made.mode, made.overrides],
    ['Always', 'plain', 'shadow', ['opt-out']],
  );
  assert.deepEqual(made.identity, {
    source: 'authority',
    url: 'https://sallyport-authority.sallyport-system.svc:8444',
    id: 'spiffe://example.org/sallyport/authority',
    audience: 'other',
  });
  const digest = `sha256:${'a'.repeat(64)}`;
  assert.equal(settings({ image: { digest, tag: '9' } }).image, `sallyport@${digest}`);
});

test('an authority elsewhere, the Workload API and one bundle for all', () => {
  const elsewhere = { url: 'https://ca.example.org:8444', id: 'spiffe://cluster.local/ca' };
  assert.deepEqual(settings({ sidecar: { identity: { authority: elsewhere } } }).identity, {
    source: 'authority',
    audience: 'sallyport',
    ...elsewhere,
  });
  const workload = { source: 'workload-api', workloadApi: { driver: 'csi.example.org' } };
  assert.deepEqual(settings({ sidecar: { identity: workload } }).identity, {
    source: 'workload-api',
    driver: 'csi.example.org',
  });
  const bundle = { url: 'oci://registry.example.org/policy:1', decision: 'envoy/authz/allow' };
  assert.deepEqual(settings({ policies: { source: 'bundle', bundle } }).policy, { source: 'bundle', ...bundle });
});

test('mistakes are told with their paths, whatever stands there', () => {
  const made = chartSettings({ image: { repository: 'a b' }, sidecar: { capture: 'both', more: 1 } }, '0.1.0');
  assert.ok(!made.ok);
  assert.deepEqual(made.error.map(({ path }) => path).sort(), ['sidecar.capture', 'sidecar.image', 'sidecar.more']);
  for (const values of [
    null,
    1,
    [],
    { sidecar: 1 },
    { image: [] },
    { sidecar: { identity: 'x' } },
    { policies: { source: 'bundle' } },
  ])
    assert.equal(typeof chartSettings(values, '0.1.0').ok, 'boolean');
});
