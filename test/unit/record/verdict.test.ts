import { test } from 'node:test';
import assert from 'node:assert/strict';
import { fault } from '../../../src/core/model/faults.ts';
import { NO_OBLIGATIONS, type Decision } from '../../../src/core/model/decision.ts';
import type { Outcome } from '../../../src/core/model/outcome.ts';
import { verdictOf } from '../../../src/core/record/verdict.ts';

const denied = fault('policy_denied', '');
const malformed = fault('request_malformed', '');
const noPolicy = fault('policy_unavailable', '');
const deny: Decision = { kind: 'deny', fault: denied, answer: undefined, reasons: [], dynamicMetadata: {} };
const allow: Decision = { kind: 'allow', obligations: NO_OBLIGATIONS, reasons: [] };
const forwarded: Outcome = { kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 0 };
const refused: Outcome = { kind: 'refused', status: 403 };
const gone: Outcome = {
  kind: 'aborted',
  by: 'peer',
  fault: fault('peer_aborted', ''),
  status: 0,
  bytesIn: 0,
  bytesOut: 0,
};
const failed: Outcome = {
  kind: 'upstream-failed',
  fault: fault('upstream_timeout', ''),
  status: 504,
  bytesIn: 0,
  bytesOut: 0,
};

const rows = [
  ['no fault', 'enforce', undefined, allow, forwarded, 'allow'],
  ['no fault, upstream failed', 'enforce', undefined, allow, failed, 'allow'],
  ['denied', 'enforce', denied, deny, refused, 'deny'],
  ['denied, peer gone before the answer', 'enforce', denied, deny, gone, 'deny'],
  ['denied on trial', 'shadow', denied, deny, forwarded, 'would-deny'],
  ['denied on trial, peer gone while forwarding', 'shadow', denied, deny, gone, 'would-deny'],
  ['denied on trial, upstream failed', 'shadow', denied, deny, failed, 'would-deny'],
  ['allowed on trial, but its body had no reading', 'shadow', fault('body_malformed', ''), allow, gone, 'would-deny'],
  ['no policy yet, on trial', 'shadow', noPolicy, undefined, forwarded, 'would-deny'],
  ['no policy yet, on trial, peer gone while forwarding', 'shadow', noPolicy, undefined, gone, 'would-deny'],
  ['no policy yet', 'enforce', noPolicy, undefined, refused, 'deny'],
  ['malformed, on trial as well', 'shadow', malformed, undefined, refused, 'deny'],
  ['malformed, on trial, peer gone before the answer', 'shadow', malformed, undefined, gone, 'deny'],
] as const;

for (const [what, mode, reason, decision, outcome, expected] of rows) {
  test(`promise 5: ${what} is ${expected} in ${mode} mode`, () => {
    assert.equal(verdictOf({ fault: reason, mode, decision, outcome }), expected);
  });
}
