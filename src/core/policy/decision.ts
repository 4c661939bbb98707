import { err, ok } from '../kernel/result.ts';
import type { Result } from '../kernel/result.ts';
import { NO_OBLIGATIONS } from '../model/decision.ts';
import type { Decision, DenialAnswer, Obligations } from '../model/decision.ts';
import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import type { Evaluation } from '../model/policy.ts';
import { REQUEST_FRAMING, RESPONSE_FRAMING, readHeaders, readNames, readQuery } from './obligation-fields.ts';
import { readStatus } from './answer-status.ts';

/** A decision in object form, keys as OPA-Envoy has them (opa-envoy-plugin, envoyauth/response.go), and `reasons`. */
type DecisionObject = Readonly<Record<string, unknown>>;

const KNOWN_KEYS: ReadonlySet<string> = new Set([
  'allowed',
  'headers',
  'response_headers_to_add',
  'request_headers_to_remove',
  'query_parameters_to_set',
  'query_parameters_to_remove',
  'http_status',
  'body',
  'dynamic_metadata',
  'reasons',
]);

/** RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

const ALLOW: Decision = Object.freeze({ kind: 'allow', obligations: NO_OBLIGATIONS, reasons: Object.freeze([]) });

/**
 * Turns what an evaluation gave into a decision, as OPA-Envoy does: a boolean, or an object with `allowed` and its known keys. All keys are checked whether
 * the verdict uses them or not. Anything else is a denial with its own fault (promise 4); an undefined answer is a denial too.
 */
export function toDecision(evaluation: Evaluation): Decision {
  switch (evaluation.kind) {
    case 'failed':
      return denial(evaluation.fault);
    case 'undefined':
      return denial(fault('policy_undefined', undefinedDetail(evaluation.builtinErrors)));
    case 'defined':
      return fromValue(evaluation.value);
    default:
      return evaluation satisfies never;
  }
}

function undefinedDetail(errors: readonly string[] | undefined): string {
  return errors === undefined ? 'the decision is undefined' : `the decision is undefined; ${errors.join('; ')}`;
}

function denial(reason: Fault): Decision {
  return { kind: 'deny', fault: reason, answer: undefined, reasons: [], dynamicMetadata: {} };
}

function fromValue(value: unknown): Decision {
  if (value === true) return ALLOW;
  if (value === false) return denial(fault('policy_denied', 'the policy said no'));
  if (!isObject(value)) return denial(invalid('the decision is neither a boolean nor an object'));
  const decision = fromObject(value);
  return decision.ok ? decision.value : denial(decision.error);
}

function fromObject(value: DecisionObject): Result<Decision, Fault> {
  const unknown = Object.keys(value).find((key) => !KNOWN_KEYS.has(key));
  if (unknown !== undefined)
    return err(invalid(`the decision has the unknown key ${JSON.stringify(unknown).slice(0, 80)}`));
  if (typeof value['allowed'] !== 'boolean') return err(invalid('allowed is not a boolean'));
  const reasons = readReasons(value['reasons']);
  if (!reasons.ok) return reasons;
  const metadata = absentOr(value['dynamic_metadata'], {});
  if (!isObject(metadata)) return err(invalid('dynamic_metadata is no object'));
  const answer = readAnswer(value);
  if (!answer.ok) return answer;
  const obligations = readObligations(value, metadata);
  if (!obligations.ok) return obligations;
  if (value['allowed']) return ok({ kind: 'allow', obligations: obligations.value, reasons: reasons.value });
  const detail = reasons.value.length > 0 ? reasons.value.join('; ') : 'the policy said no';
  return ok({
    kind: 'deny',
    fault: fault('policy_denied', detail),
    answer: answer.value,
    reasons: reasons.value,
    dynamicMetadata: metadata,
  });
}

function readReasons(value: unknown): Result<readonly string[], Fault> {
  if (value === undefined) return ok([]);
  if (isStrings(value)) return ok(value);
  return err(invalid('reasons is no array of strings'));
}

/** `http_status`, `body` and, on a denial, `headers`: what the caller is shown. Undefined where the policy says nothing of it. */
function readAnswer(value: DecisionObject): Result<DenialAnswer | undefined, Fault> {
  const status = readStatus(value['http_status']);
  if (status === undefined) return err(invalid('http_status is no known status for an answer'));
  const body = value['body'];
  if (body !== undefined && typeof body !== 'string') return err(invalid('body is no string'));
  if (WITHOUT_BODY.has(status) && body !== undefined && body !== '') {
    return err(invalid(`an answer with status ${status} has no body`));
  }
  if (value['allowed'] === true) return ok(undefined);
  const headers = readHeaders(value['headers'], 'headers', RESPONSE_FRAMING);
  if (!headers.ok) return headers;
  const said = value['http_status'] !== undefined || body !== undefined || headers.value.length > 0;
  return ok(said ? { status, headers: headers.value, body } : undefined);
}

function readObligations(value: DecisionObject, dynamicMetadata: DecisionObject): Result<Obligations, Fault> {
  // On a denial `headers` go to the caller; they are read as such there.
  const toSet = value['allowed'] === true ? readHeaders(value['headers'], 'headers', REQUEST_FRAMING) : ok([]);
  if (!toSet.ok) return toSet;
  const toRemove = readNames(value['request_headers_to_remove'], 'request_headers_to_remove');
  if (!toRemove.ok) return toRemove;
  const toAdd = readHeaders(value['response_headers_to_add'], 'response_headers_to_add', RESPONSE_FRAMING);
  if (!toAdd.ok) return toAdd;
  const queryToSet = readQuery(value['query_parameters_to_set']);
  if (!queryToSet.ok) return queryToSet;
  const queryToRemove = absentOr(value['query_parameters_to_remove'], []);
  if (!isStrings(queryToRemove)) return err(invalid('query_parameters_to_remove is no array of strings'));
  return ok({
    requestHeadersToSet: toSet.value,
    requestHeadersToRemove: toRemove.value,
    responseHeadersToAdd: toAdd.value,
    queryToSet: queryToSet.value,
    queryToRemove,
    dynamicMetadata,
  });
}

function invalid(detail: string): Fault {
  return fault('policy_result_invalid', detail);
}

/** The default stands for an absent key only: null is a wrong type. */
function absentOr(value: unknown, standard: unknown): unknown {
  return value === undefined ? standard : value;
}

function isObject(value: unknown): value is DecisionObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
