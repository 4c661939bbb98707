import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { parse } from 'yaml';

import { chartSettings } from '../../../src/app/kube/chart-settings.ts';
import { loadInjectorConfig } from '../../../src/core/config/injector-config.ts';
import { NO_HELM, VALUE_SETS, chartFile, field, fileIn, render } from '../../support/chart.ts';

/** `sallyport kube check` makes of the chart's values what the chart makes of them, without helm. It knows the usual names only. */
const SETS = VALUE_SETS.filter(({ name }) => name !== 'small');

describe('`sallyport kube check` injects what the chart would', { skip: NO_HELM }, () => {
  const version = String(field(chartFile('Chart.yaml').value, 'appVersion'));
  for (const { name, file } of SETS)
    test(name, async () => {
      const rendered = loadInjectorConfig(fileIn(await render(file), 'sallyport-injector', 'injector.yaml'), {});
      assert.ok(rendered.ok, JSON.stringify(rendered));
      const told = chartSettings(parse(readFileSync(file, 'utf8')), version);
      assert.ok(told.ok, JSON.stringify(told));
      assert.deepEqual(told.value, rendered.value.sidecar);
    });
});
