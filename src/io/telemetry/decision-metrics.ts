import { Counter, type Registry } from 'prom-client';

import type { Observer } from '../../core/gate/ports.ts';
import type { CandidateFacts, RecordFacts } from '../../core/model/record-facts.ts';
import { isConnectionRefusal, styleOf, type Style } from './style.ts';
import { TalliedHistogram, talliedCounter, type Distribution, type Tally } from './tally.ts';

/** Seconds. A decision takes microseconds, and its budget ends it after about 5 ms. */
const DECISION_BUCKETS = [1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2];

/** Seconds; streams may last for hours. */
const REQUEST_BUCKETS = [5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3_600];

const STEP_BUCKETS = [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

type Decided = Observer['decided'];
type Verdict = Parameters<Decided>[1];
type Code = NonNullable<Parameters<Decided>[2]>;
type Direction = RecordFacts['connection']['direction'];

const DIRECTIONS = { inbound: 0, outbound: 1 } as const satisfies Record<Direction, number>;
const VERDICTS = { allow: 0, deny: 1, 'would-deny': 2 } as const satisfies Record<Verdict, number>;
const STYLES = { http: 0, grpc: 1, websocket: 2, tcp: 3, none: 4 } as const satisfies Record<Style, number>;

/** Counts and times decisions. Whatever has labels is made once and found again by number: nothing here makes a text or an object for each request. */
export function decisionMetrics(registry: Registry): Decided {
  const request = requestCounter(registry);
  const refusal = refusalCounter(registry);
  const time = timings(registry);
  const candidate = candidateCounter(registry);
  return (facts, verdict, code) => {
    if (code !== undefined && isConnectionRefusal(facts)) {
      refusal(facts.connection.direction, code);
      return;
    }
    const style = styleOf(facts);
    request(facts.connection.direction, style, verdict, code);
    time(facts, style);
    if (facts.candidate !== undefined) candidate(facts.candidate);
  };
}

function requestCounter(
  registry: Registry,
): (direction: Direction, style: Style, verdict: Verdict, code: Code | undefined) => void {
  const tallies = talliedCounter(
    registry,
    { name: 'sallyport_requests_total', help: 'Decided requests and forwarded connections, by verdict and fault.' },
    ['direction', 'style', 'verdict', 'fault'],
  );
  const known = new Map<Code | undefined, Tally[]>();
  return (direction, style, verdict, code) => {
    const index = (DIRECTIONS[direction] * 5 + STYLES[style]) * 3 + VERDICTS[verdict];
    const ofCode = remembered(known, code, () => []);
    ofCode[index] ??= tallies({ direction, style, verdict, fault: code ?? 'none' });
    ofCode[index].count += 1;
  };
}

function refusalCounter(registry: Registry): (direction: Direction, code: Code) => void {
  const tallies = talliedCounter(
    registry,
    {
      name: 'sallyport_connections_refused_total',
      help: 'Connections closed before a request: failed handshakes, rejected peers, limits; by fault.',
    },
    ['direction', 'fault'],
  );
  const known = new Map<Code, Tally[]>();
  return (direction, code) => {
    const ofCode = remembered(known, code, () => []);
    const index = DIRECTIONS[direction];
    ofCode[index] ??= tallies({ direction, fault: code });
    ofCode[index].count += 1;
  };
}

function candidateCounter(registry: Registry): (candidate: CandidateFacts) => void {
  const counter = new Counter({
    name: 'sallyport_candidate_decisions_total',
    help: 'What the candidate policy would have said, and whether that differs from the policy in force; unknown where it reads a body that never came whole.',
    labelNames: ['verdict', 'differs'],
    registers: [registry],
  });
  return ({ decision, differs }) => counter.inc({ verdict: decision?.kind ?? 'unknown', differs: String(differs) });
}

function timings(registry: Registry): (facts: RecordFacts, style: Style) => void {
  const evaluation = evaluationMetrics(registry);
  const total = byStyle(
    registry,
    'sallyport_request_duration_seconds',
    'From the complete head to the end of the answer.',
  );
  const forward = byStyle(
    registry,
    'sallyport_forward_duration_seconds',
    "From the decision to the end of the agent's answer.",
  );
  return (facts, style) => {
    evaluation(facts);
    total[STYLES[style]]?.observe(seconds(facts.totalMs, 1_000));
    if (facts.forwardMs !== undefined) forward[STYLES[style]]?.observe(seconds(facts.forwardMs, 1_000));
  };
}

function evaluationMetrics(registry: Registry): (facts: RecordFacts) => void {
  const duration = new TalliedHistogram(
    registry,
    {
      name: 'sallyport_decision_duration_seconds',
      help: 'Evaluation of the policy; decisions from the decision cache are not among them.',
    },
    DECISION_BUCKETS,
  ).distribution();
  const steps = new TalliedHistogram(
    registry,
    { name: 'sallyport_decision_steps', help: 'Metered steps of an evaluation.' },
    STEP_BUCKETS,
  ).distribution();
  const cached = talliedCounter(
    registry,
    { name: 'sallyport_decisions_cached_total', help: 'Decisions from the decision cache.' },
    [],
  )({});
  return ({ evaluation, evaluationNs }) => {
    if (evaluation === undefined) return;
    if (evaluation.kind !== 'failed' && evaluation.cached) {
      cached.count += 1;
      return;
    }
    duration.observe(seconds(evaluationNs, 1e9));
    steps.observe(seconds(evaluation.steps, 1));
  };
}

/** A histogram of requests with one distribution a style, at its number. */
function byStyle(registry: Registry, name: string, help: string): readonly Distribution[] {
  const histogram = new TalliedHistogram(registry, { name, help }, REQUEST_BUCKETS);
  return Object.keys(STYLES).map((style) => histogram.distribution({ style }));
}

function remembered<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

/** A duration given in `perSecond` parts of a second. What is no duration counts as 0. */
function seconds(value: number, perSecond: number): number {
  return value > 0 && Number.isFinite(value) ? value / perSecond : 0;
}
