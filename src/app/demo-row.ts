import type { DecisionRecord } from '../core/model/record.ts';
import type { Seen } from './demo-calls.ts';
import type { Step } from './demo-steps.ts';
import type { Row } from './demo-table.ts';

/** Puts together what was to happen, what the client saw (where it was a client's call) and what the sidecar wrote down. */
export function rowOf(
  { who, agent, what, expected }: Omit<Step, 'run'>,
  seen: Seen | undefined,
  record: DecisionRecord | undefined,
): Row {
  const status = seen?.status ?? String(record?.sallyport.outcome.status ?? 'not called');
  const verdict = record?.sallyport.verdict ?? 'no record';
  const good = verdict === expected.verdict && status === expected.status;
  return {
    who,
    agent,
    what,
    verdict,
    status,
    why: record === undefined ? '' : whyOf(record),
    micros: record === undefined || record.path === '' ? undefined : (record.metrics[EVALUATION] ?? 0) / 1_000,
    expected: good ? undefined : `${expected.verdict}, ${expected.status}`,
  };
}

const EVALUATION = 'timer_rego_query_eval_ns';

/** The policy's reasons where it gave any, else what was found; after the fault's code for a refusal. */
function whyOf({ sallyport: { fault, detail, reasons } }: DecisionRecord): string {
  const found = reasons.length > 0 ? reasons.join('; ') : (detail ?? '');
  return fault === undefined ? found : `${fault}: ${found}`;
}
