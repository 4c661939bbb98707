import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { DecisionRecord } from '../../../src/core/model/record.ts';
import { loadPolicy } from '../../../src/core/policy/host.ts';
import { createRecorder } from '../../../src/core/record/recorder.ts';
import { compileRego } from '../../support/rego.ts';
import { STILL_WORLD } from '../../support/policy-host.ts';
import { sampleFacts, sampleInput } from '../../support/record-facts.ts';

const files = {
  'policy.rego': `package app
import rego.v1
allow := {"allowed": true, "reasons": ["because", input.parsed_path[0]]}`,
  'log.rego': `package system.log
import rego.v1
mask contains "/input/parsed_query"
mask contains {"op": "upsert", "path": "/result/reasons/1", "value": "hidden"}
mask contains "/input/source_principal" if input.sallyport.verdict == "allow"
drop if input.input.parsed_path == ["health"]`,
};

test('OPA decision logs: mask and drop rules in Rego, compiled, over real records', async () => {
  const entrypoints = ['app/allow', 'system/log/mask', 'system/log/drop'];
  const { policyWasm } = await compileRego({ files, entrypoints });
  const source = { wasm: policyWasm, data: {}, entrypoint: 'app/allow', bundles: { app: { revision: '7' } } };
  const loaded = loadPolicy(source, STILL_WORLD);
  assert.ok(loaded.ok);
  const policy = loaded.value;
  const recorder = createRecorder({ labels: { id: 'i' } });
  const recordOf = (path: string): DecisionRecord | undefined => {
    const input = sampleInput({}, { parsed_path: [path], source_principal: 'spiffe://example.org/x' });
    const evaluation = policy.evaluate(input);
    assert.ok(evaluation.kind === 'defined');
    const line = recorder.record(sampleFacts({ policy, input, evaluation }));
    return line === undefined ? undefined : (JSON.parse(line) as DecisionRecord);
  };
  const record = recordOf('orders') ?? assert.fail();
  assert.equal('error' in record, false, JSON.stringify(record.error));
  const { parsed_query: _, ...rest } = sampleInput({}, { parsed_path: ['orders'] });
  assert.deepEqual(record.input, rest);
  assert.deepEqual(record.result, { allowed: true, reasons: ['because', 'hidden'] });
  assert.deepEqual(record.erased?.toSorted(), ['/input/parsed_query', '/input/source_principal']);
  assert.deepEqual(record.masked, ['/result/reasons/1']);
  assert.equal(recordOf('health'), undefined);
});
