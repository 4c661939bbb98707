import type { Destination, ProvenServer } from '../model/destination.ts';
import type { CandidateFacts, RecordFacts } from '../model/record-facts.ts';
import type { Outcome } from '../model/outcome.ts';
import { connectionText, endpointText } from './connection-text.ts';
import { quote } from './json-text.ts';
import { timestamp } from './timestamp.ts';

/** What a record says besides its facts; JSON texts are ready to be written. */
export type Findings = {
  readonly verdict: 'allow' | 'deny' | 'would-deny';
  /** JSON of the masked input, result and answers of built-ins that the input does not determine; undefined where there is none. */
  readonly input: string | undefined;
  readonly result: string | undefined;
  readonly ndBuiltinCache: string | undefined;
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly erased: readonly string[];
  readonly masked: readonly string[];
  readonly reasons: readonly string[];
  /** Number of this decision among all of this process. */
  readonly requestNumber: number;
};

const MAX_REASONS = 32;
const MAX_REASON = 512;
const MAX_MESSAGE = 1_024;
const MAX_METHOD = 64;
const MAX_TARGET = 2_048;
const MAX_POINTERS = 256;
const MAX_IDS = 16;
const MAX_REVISION = 512;
/** SPIFFE-ID 2.3. */
const MAX_ID = 2_048;

/**
 * The record as one line of JSON, up to the members `prev` and `hash` that `sealLine` adds: the object `sallyport` is still open.
 * Put together by hand: it costs half of `JSON.stringify` over the whole, and fixes the order of members that the chain relies on.
 * `labels` and `bundles` are JSON. Every text that came from outside goes through `quote` or was made inert before, so nobody can end a line or a
 * string early.
 */
export function encodeRecord(facts: RecordFacts, found: Findings, labels: string, bundles: string): string {
  const asked = facts.evaluation === undefined ? undefined : facts.policy;
  let line = `{"decision_id":${quote(facts.decisionId)},"timestamp":"${timestamp(natural(facts.atMs))}","labels":${labels}`;
  line += `,"bundles":${asked === undefined ? '{}' : bundles},"path":${quote(asked?.entrypoint ?? '')}`;
  if (found.input !== undefined) line += `,"input":${found.input}`;
  if (found.result !== undefined) line += `,"result":${found.result}`;
  if (found.ndBuiltinCache !== undefined) line += `,"nd_builtin_cache":${found.ndBuiltinCache}`;
  if (found.error !== undefined) {
    line += `,"error":{"code":${quote(found.error.code)},"message":${quote(found.error.message, MAX_MESSAGE)}}`;
  }
  line += `,"metrics":{"timer_rego_query_eval_ns":${natural(facts.evaluationNs)}`;
  line += `,"timer_server_handler_ns":${natural(facts.totalMs * 1e6)}}`;
  if (facts.trace !== undefined) {
    line += `,"trace_id":${quote(facts.trace.traceId)},"span_id":${quote(facts.trace.spanId)}`;
  }
  line += `,"req_id":${found.requestNumber}`;
  if (found.erased.length > 0) line += `,"erased":${texts(found.erased, MAX_POINTERS, MAX_MESSAGE)}`;
  if (found.masked.length > 0) line += `,"masked":${texts(found.masked, MAX_POINTERS, MAX_MESSAGE)}`;
  return line + encodeSallyport(facts, found);
}

function encodeSallyport(facts: RecordFacts, found: Findings): string {
  const { connection, evaluation } = facts;
  let part = `,"sallyport":{${connectionText(connection, peerId(facts))}`;
  if (facts.destination !== undefined) part += encodeDestination(facts.destination, facts.outcome);
  part += `,"verdict":"${found.verdict}"`;
  if (facts.fault !== undefined) {
    part += `,"fault":"${facts.fault.code}","detail":${quote(facts.fault.detail, MAX_MESSAGE)}`;
  }
  if (facts.asReceived !== undefined) {
    const { method, target } = facts.asReceived;
    part += `,"request":{"method":${quote(method, MAX_METHOD)},"target":${quote(target, MAX_TARGET)}}`;
  }
  part += `,"reasons":${texts(found.reasons, MAX_REASONS, MAX_REASON)},"mode":"${facts.mode}"`;
  if (facts.candidate !== undefined) part += encodeCandidate(facts.candidate, facts);
  part += `,"outcome":${encodeOutcome(facts.outcome, facts.totalMs)}`;
  const cached = evaluation !== undefined && evaluation.kind !== 'failed' && evaluation.cached;
  return `${part},"cached":${cached},"steps":${natural(evaluation?.steps ?? 0)},`;
}

function encodeCandidate({ policy, decision, differs }: CandidateFacts, facts: RecordFacts): string {
  const revisions = Object.values(policy.bundles).map(({ revision }) => revision);
  let part = `,"candidate":{"revision":${quote(revisions.join(','), MAX_REVISION)}`;
  part += `,"verdict":"${decision?.kind ?? 'unknown'}"`;
  if (decision?.kind === 'deny') {
    part += `,"fault":"${decision.fault.code}","detail":${quote(decision.fault.detail, MAX_MESSAGE)}`;
  }
  // Reasons are made of the input: where somebody masks records, what was masked there must not stand here.
  const isMasked = policy.mask !== undefined || facts.policy?.mask !== undefined;
  if (decision !== undefined && decision.reasons.length > 0 && !isMasked) {
    part += `,"reasons":${texts(decision.reasons, MAX_REASONS, MAX_REASON)}`;
  }
  return `${part},"differs":${differs}}`;
}

function encodeDestination({ name, address, ids }: Destination, outcome: Outcome): string {
  const at = endpointText({ address: address.host, port: address.port });
  const server = outcome.kind === 'refused' ? undefined : outcome.server;
  const proven = server === undefined ? '' : `,"peer":${encodeServer(server)}`;
  return `,"destination":{"name":${quote(name)},"address":${quote(at)},"ids":${texts(ids, MAX_IDS, MAX_ID)}${proven}}`;
}

function encodeServer({ spiffeId, serial }: ProvenServer): string {
  return `{"spiffe_id":${quote(spiffeId)},"serial":${quote(serial)}}`;
}

function encodeOutcome(outcome: Outcome, totalMs: number): string {
  const grpcStatus = outcome.kind === 'aborted' ? undefined : outcome.grpcStatus;
  let part = `{"kind":"${outcome.kind}","status":${natural(outcome.status)}`;
  if (grpcStatus !== undefined) part += `,"grpc_status":${natural(grpcStatus)}`;
  if (outcome.kind === 'refused') part += ',"bytes_in":0,"bytes_out":0';
  else part += `,"bytes_in":${natural(outcome.bytesIn)},"bytes_out":${natural(outcome.bytesOut)}`;
  part += `,"ms":${natural(totalMs * 1_000) / 1_000}`;
  if (outcome.kind === 'upstream-failed' || outcome.kind === 'aborted') {
    part += `,"fault":"${outcome.fault.code}","detail":${quote(outcome.fault.detail, MAX_MESSAGE)}`;
  }
  return `${part}}`;
}

function peerId(facts: RecordFacts): string | undefined {
  switch (facts.peer.kind) {
    case 'identified':
      return facts.peer.spiffeId;
    case 'rejected':
      return facts.peer.claimedId;
    case 'anonymous':
      return undefined;
    default:
      return facts.peer satisfies never;
  }
}

/** A JSON array of at most `count` strings; what is left out is counted in a last one. */
function texts(list: readonly string[], count: number, limit: number): string {
  const kept = list.slice(0, count).map((text) => quote(text, limit));
  if (list.length > count) kept.push(`"… and ${list.length - count} more"`);
  return `[${kept.join(',')}]`;
}

/** A whole number of at least 0; 0 for what is no number, so that no fact can make the line unreadable. */
function natural(value: number): number {
  return value > 0 && value <= Number.MAX_SAFE_INTEGER ? Math.round(value) : 0;
}
