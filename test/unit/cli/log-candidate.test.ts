import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { NO_OBLIGATIONS, type Decision } from '../../../src/core/model/decision.ts';
import { fault } from '../../../src/core/model/faults.ts';
import { createRecorder } from '../../../src/core/record/recorder.ts';
import { sallyport } from '../../support/cli.ts';
import { sampleFacts, samplePolicy } from '../../support/record-facts.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

const ALLOW: Decision = { kind: 'allow', obligations: NO_OBLIGATIONS, reasons: [] };
const DENY: Decision = {
  kind: 'deny',
  fault: fault('policy_denied', 'no'),
  answer: undefined,
  reasons: ['after \u001b[2Jhours'],
  dynamicMetadata: {},
};

test('log show: what a candidate would have decided otherwise is shown, and can be asked for', async (context) => {
  const folder = await tempFolder(context);
  const recorder = createRecorder({ labels: { id: 'i' } });
  const policy = samplePolicy();
  const facts = [
    sampleFacts(),
    sampleFacts({ candidate: { policy, decision: ALLOW, differs: false } }),
    sampleFacts({ candidate: { policy, decision: DENY, differs: true } }),
    sampleFacts({ candidate: { policy, decision: undefined, differs: false } }),
  ];
  const lines = facts.map((one) => recorder.record(one) ?? assert.fail());
  await writeFiles(folder, { log: lines.map((line) => `${line}\n`).join('') });
  const log = join(folder, 'log');
  const shown = (await sallyport(['log', 'show', log])).out;
  assert.deepEqual(
    shown.map((line) => line.includes('candidate')),
    [false, false, true, false],
  );
  assert.match(
    shown[2] ?? '',
    /; candidate r1: deny \(policy_denied, after .*hours\)$|candidate r1: deny \(policy_denied, after .*hours\)$/,
  );
  assert.ok(!(shown[2] ?? '').includes('\u001b'));
  const { out } = await sallyport(['log', 'show', '--candidate-differs', log]);
  assert.deepEqual(out, [shown[2]]);
  assert.equal((await sallyport(['log', 'verify', log])).code, 0);
});
