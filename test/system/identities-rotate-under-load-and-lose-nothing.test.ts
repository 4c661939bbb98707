import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { DecisionRecord } from '../../src/core/model/record.ts';
import { activateRoot, prepareRoot, retireRoot } from '../../src/io/authority/root-rotation.ts';
import { ISSUING, startAuthorityProcess, type AuthorityProcess } from '../support/authority-process.ts';
import { DAY, valueOf } from '../support/authority-world.ts';
import { startEchoUpstream } from '../support/echo-upstream.ts';
import { startLivingPair, type LivingPair } from '../support/living-pair.ts';
import { certificatesOf, untilBelieved } from '../support/living-sidecar.ts';
import { startOutboundLoad, type LoadCall } from '../support/outbound-load.ts';
import type { SidecarProcess } from '../support/sidecar-process.ts';
import { RESEARCHER_HOST } from '../support/two-sidecars.ts';

/** Life of a leaf, seconds: a sidecar renews at half of it, a tenth earlier or later. */
const LEAF_S = 12;

/** A connection begins calls for half of the time that its certificates leave it, so each call has a fifth of a life at least, less the second that notAfter is cut to. */
const STREAM_MS = (LEAF_S * 1_000) / 6;

/** What one renewal stands for where a leaf lives an hour, which is the default. */
const MINUTES_OF_ONE_RENEWAL = 30;

/** What the end of a record may seem to be early by: the timestamp is cut to milliseconds. */
const ROUNDING_MS = 5;

/** The two records of one call. */
type Both = { readonly call: LoadCall; readonly outbound: DecisionRecord; readonly inbound: DecisionRecord };

/** Adds a root, has everything issued under it once all know it, and takes the old one away when nothing under it is left. */
async function rotateRoot(
  authority: AuthorityProcess,
  pair: LivingPair,
  meanwhile?: () => Promise<void>,
): Promise<void> {
  const sidecars = [pair.planner, pair.researcher];
  const { store, deps } = authority;
  valueOf(await prepareRoot(store, { keyKind: 'p256', ttlMs: 30 * DAY }, deps));
  await untilBelieved(authority, sidecars, 2);
  valueOf(await activateRoot(store, { issuing: ISSUING, overlapMs: 0 }, deps));
  await meanwhile?.();
  await pair.planner.until('the old root to be of no use', async () => {
    const retired = await retireRoot(store, { state: 'retiring', force: false }, deps);
    if (!retired.ok) assert.match(retired.error, /is in use until/);
    return retired.ok;
  });
  await untilBelieved(authority, sidecars, 1);
}

/** Records of calls. A handshake that a rotation gave up, before anything was written, has a record too on the side that accepted it, and is no call. */
function callRecords(sidecar: SidecarProcess, count: number): Promise<readonly DecisionRecord[]> {
  return sidecar.recordsWhen(`${count} calls`, (all) => {
    const ofCalls = all.filter(({ sallyport: { fault } }) => fault !== 'tls_handshake_failed');
    return ofCalls.length >= count ? ofCalls : undefined;
  });
}

/** Pairs each call with its records by its trace; fails where a side has none of a call, two, or one of no call. */
async function recordsOf({ planner, researcher }: LivingPair, calls: readonly LoadCall[]): Promise<readonly Both[]> {
  const [outbound, inbound] = await Promise.all([
    callRecords(planner, calls.length),
    callRecords(researcher, calls.length),
  ]);
  const traces = new Set(calls.map(({ traceId }) => traceId));
  const foreign = [...outbound, ...inbound].filter(({ trace_id: traceId = '' }) => !traces.has(traceId));
  assert.deepEqual(foreign.map(briefly), [], 'records of no call');
  assert.deepEqual([...repeated(outbound), ...repeated(inbound)], [], 'calls have more than one record');
  assert.deepEqual([outbound.length, inbound.length], [calls.length, calls.length], 'one record each on both sides');
  const [out, within] = [outbound, inbound].map((records) => new Map(records.map((each) => [each.trace_id, each])));
  return calls.map((call) => {
    const [ours, theirs] = [out?.get(call.traceId), within?.get(call.traceId)];
    assert.ok(ours !== undefined && theirs !== undefined, `a record is missing of ${JSON.stringify(call)}`);
    return { call, outbound: ours, inbound: theirs };
  });
}

/** What is there of traces with more than one record. */
function repeated(records: readonly DecisionRecord[]): readonly unknown[] {
  const several = Object.values(Object.groupBy(records, ({ trace_id: traceId = '' }) => traceId));
  return several.filter((each) => (each?.length ?? 0) > 1).map((each) => each?.map(briefly));
}

function briefly({
  timestamp,
  trace_id: trace,
  sallyport: { direction, fault, detail, outcome },
}: DecisionRecord): unknown {
  return { timestamp, trace, direction, fault, detail, outcome };
}

function assertForwarded({ call, outbound, inbound }: Both): void {
  const said = [outbound, inbound].map(({ sallyport: { direction, verdict, outcome } }) => {
    return [direction, verdict, outcome.kind, outcome.status];
  });
  const right = [
    ['outbound', 'allow', 'forwarded', 200],
    ['inbound', 'allow', 'forwarded', 200],
  ];
  assert.deepEqual([call.failure, ...said], [undefined, ...right], call.kind);
}

/** A stream that was cut: with its connection, when the first of the two certificates ended, and with UNAVAILABLE, which tells a caller to open another. */
function assertEndedWithCertificate(authority: AuthorityProcess, { call, outbound, inbound }: Both): void {
  assert.match(call.failure ?? '', /^status 14, reset 0/);
  const { outcome, destination } = outbound.sallyport;
  // Whichever side looks first, or both at one moment: ours at both certificates, the other at ours.
  const said = `${outcome.fault} ${inbound.sallyport.outcome.fault}`;
  assert.match(
    said,
    /^(?:identity_unavailable|destination_unverified) (?:peer_aborted|peer_certificate_expired)$|^upstream_aborted peer_certificate_expired$/,
  );
  assert.equal(inbound.sallyport.outcome.kind, 'aborted');
  const serial = destination?.peer?.serial ?? '';
  const server = valueOf(
    authority.store.read((database) =>
      database.prepare('SELECT not_after FROM certificates WHERE serial = ?').get(serial),
    ),
  );
  const input = inbound.input as { sallyport: { peer: { certificate: { not_after: string } } } };
  const ends = [Number(server?.['not_after']), Date.parse(input.sallyport.peer.certificate.not_after)];
  const endMs = Date.parse(outbound.timestamp) + outcome.ms + ROUNDING_MS;
  assert.ok(endMs >= Math.min(...ends), `cut at ${endMs}, before either of ${ends.join(' and ')}`);
}

/** What the run was, for who reads it. */
function summary(calls: readonly LoadCall[], renewals: readonly number[], ms: number): string {
  const kinds = Object.entries(Object.groupBy(calls, ({ kind }) => kind));
  const counts = kinds.map(([kind, each]) => `${each.length} ${kind}`).join(', ');
  const minutes = Math.min(...renewals) * MINUTES_OF_ONE_RENEWAL;
  return `${counts} in ${Math.round(ms / 1_000)} s; ${renewals.join(' and ')} renewals: ${minutes} minutes of hour-long leaves`;
}

// 30 minutes of certificate life, compressed: leaves live 12 s in place of an hour, so that each renewal, which comes at half of the life, stands for 30
// minutes. What does not scale with it (handshakes, fetches, pauses between looks) is as in production, which makes this harder, not easier.
test('leaves renew, roots rotate twice, the authority dies: no call fails, each has one record on each side', async (context: TestContext) => {
  const agent = await startEchoUpstream();
  context.after(agent.close);
  const authority = await startAuthorityProcess(context, { leaf: `${LEAF_S}s`, list: '16s' });
  const pair = await startLivingPair(context, authority, {
    upstream: `auto://127.0.0.1:${agent.port}`,
    identity: { requireRevocationLists: true },
  });
  const began = performance.now();
  const load = startOutboundLoad(context, {
    port: pair.port,
    host: RESEARCHER_HOST,
    callers: { 'HTTP/1.1': 3, 'HTTP/2': 3, 'gRPC stream': 3, 'endless gRPC stream': 2 },
    streamMs: STREAM_MS,
  });
  await rotateRoot(authority, pair, async () => {
    await authority.kill();
    await authority.start();
  });
  await rotateRoot(authority, pair);
  await load.end();

  const renewals = [pair.planner, pair.researcher].map((sidecar) => certificatesOf(sidecar) - 1);
  context.diagnostic(summary(load.calls, renewals, performance.now() - began));
  assert.ok(Math.min(...renewals) >= 2, 'too few renewals to show anything');
  for (const both of await recordsOf(pair, load.calls)) {
    const wasCut = both.call.kind === 'endless gRPC stream' && both.call.failure !== undefined;
    if (wasCut) assertEndedWithCertificate(authority, both);
    else assertForwarded(both);
  }
});
