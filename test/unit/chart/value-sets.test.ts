import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { loadAuthorityConfig } from '../../../src/core/config/authority-config.ts';
import { loadConfig } from '../../../src/core/config/config.ts';
import { loadInjectorConfig } from '../../../src/core/config/injector-config.ts';
import { CHART, NO_HELM, VALUE_SETS, fileIn, helm, render, valueArgs } from '../../support/chart.ts';
import { NO_SCHEMAS, kubeValidator } from '../../support/kube-schemas.ts';
import { restrictedViolations } from '../../support/restricted-profile.ts';

import type { ConfigMistake } from '../../../src/core/config/mistake.ts';
import type { Result } from '../../../src/core/kernel/result.ts';
import type { KubeObject } from '../../support/kube-schemas.ts';
import type { PodSpec } from '../../support/restricted-profile.ts';

/** Kinds of others, whose CRDs say what they are: `helm lint` and the operators' own documentation are all there is here. */
const FOREIGN = ['Certificate', 'Issuer', 'ServiceMonitor', 'PodMonitor'];

if (NO_HELM !== undefined || NO_SCHEMAS !== undefined)
  console.warn(`SKIPPED, the chart is not (fully) tested: ${NO_HELM ?? NO_SCHEMAS}`);

/** The pod that an object is or makes. */
function podOf(object: KubeObject): PodSpec | undefined {
  const { spec } = object as KubeObject & { spec?: PodSpec & { template?: { spec: PodSpec } } };
  return object.kind === 'Pod' ? spec : spec?.template?.spec;
}

function loaded<T>(result: Result<T, readonly ConfigMistake[]>): T {
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

test('there are a dozen value sets and more', () => assert.ok(VALUE_SETS.length >= 12));

for (const { name, file } of VALUE_SETS)
  describe(`the chart with ${name}`, { skip: NO_HELM }, () => {
    test('helm lint --strict', async () => void (await helm(['lint', '--strict', CHART, ...valueArgs(file)])));

    test('every object is one of Kubernetes 1.37, without unknown keys', { skip: NO_SCHEMAS }, async () => {
      const validate = kubeValidator();
      for (const object of await render(file)) {
        const mistakes = validate(object);
        if (mistakes === undefined) assert.ok(FOREIGN.includes(object.kind), object.kind);
        else assert.deepEqual(mistakes, [], `${object.kind} ${object.metadata.name}`);
      }
    });

    test('every pod is restricted', async () => {
      const pods = (await render(file)).flatMap((object) => podOf(object) ?? []);
      assert.ok(pods.length > 0);
      assert.deepEqual(pods.flatMap(restrictedViolations), []);
    });

    test('the programs read their configuration', async () => {
      const objects = await render(file);
      const names = objects.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name);
      const beginning = names.includes('sp-injector') ? 'sp' : 'sallyport';
      const injector = loaded(loadInjectorConfig(fileIn(objects, `${beginning}-injector`, 'injector.yaml'), {}));
      if (injector.policyService !== undefined)
        loaded(loadConfig(fileIn(objects, `${beginning}-injector`, 'sidecar.yaml'), {}));
      if (names.includes(`${beginning}-authority`))
        loaded(loadAuthorityConfig(fileIn(objects, `${beginning}-authority`, 'authority.yaml'), {}));
    });

    test('no two objects have one name, and all of the namespace say it', async () => {
      const objects = await render(file);
      const ids = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`);
      assert.deepEqual([...new Set(ids)], ids);
      const CLUSTER = /^(Cluster|Namespace$|PriorityClass|Mutating|Validating)/;
      for (const { kind, metadata } of objects)
        assert.equal(metadata.namespace === undefined, CLUSTER.test(kind), `${kind} ${metadata.name}`);
    });
  });
