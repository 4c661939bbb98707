import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { SpiffeId } from '../../../src/core/kernel/brand.ts';
import type { Destination } from '../../../src/core/model/destination.ts';
import { fault } from '../../../src/core/model/faults.ts';
import type { RecordFacts } from '../../../src/core/model/record-facts.ts';
import { createRecorder } from '../../../src/core/record/recorder.ts';
import { sampleConnection, sampleFacts } from '../../support/record-facts.ts';

const WRITER = 'spiffe://example.org/ns/agents/sa/writer' as SpiffeId;
const READER = 'spiffe://example.org/ns/agents/sa/reader' as SpiffeId;
const DESTINATION: Destination = {
  name: '*.tools.internal',
  address: { host: '::1', port: 8443 },
  ids: [WRITER, READER],
  protocol: 'auto',
};
const SERVER = { spiffeId: READER, serial: '1f' };

/** The line of an outbound call. */
function lineOf(changes: Partial<RecordFacts>): string {
  const recorder = createRecorder({ labels: { id: 'i' } });
  const facts = sampleFacts({
    connection: { ...sampleConnection, direction: 'outbound', tls: undefined },
    peer: { kind: 'anonymous' },
    destination: DESTINATION,
    ...changes,
  });
  return recorder.record(facts) ?? assert.fail('dropped');
}

const TO = '"destination":{"name":"*.tools.internal","address":"[::1]:8443"';
const IDS = `"ids":["${WRITER}","${READER}"]`;
const PEER = `"peer":{"spiffe_id":"${READER}","serial":"1f"}`;

describe('the record of an outbound call', () => {
  test('says where it went, who might be there and who was', () => {
    const line = lineOf({ outcome: { kind: 'forwarded', status: 200, bytesIn: 0, bytesOut: 12, server: SERVER } });
    assert.ok(
      line.includes(`,"sallyport":{"direction":"outbound","remote":"10.0.0.9:40000","connection":"c-1",${TO},`),
    );
    assert.ok(line.includes(`${TO},${IDS},${PEER}},"verdict":"allow"`), line);
  });

  test('names nobody where nobody was reached', () => {
    const failed = fault('upstream_unreachable', 'ECONNREFUSED');
    const line = lineOf({ outcome: { kind: 'upstream-failed', fault: failed, status: 502, bytesIn: 0, bytesOut: 0 } });
    assert.ok(line.includes(`${TO},${IDS}},"verdict"`), line);
    assert.ok(lineOf({ outcome: { kind: 'refused', status: 403 } }).includes(`${TO},${IDS}},"verdict"`));
  });

  test('names whom an aborted or failed call had reached', () => {
    const gone = fault('peer_aborted', 'gone');
    const sums = { status: 200, bytesIn: 1, bytesOut: 2, server: SERVER };
    assert.ok(lineOf({ outcome: { kind: 'aborted', by: 'peer', fault: gone, ...sums } }).includes(`,${PEER}}`));
    assert.ok(lineOf({ outcome: { kind: 'upstream-failed', fault: gone, ...sums } }).includes(`,${PEER}}`));
  });

  test('is bounded, and no name ends a string early', () => {
    const ids = Array.from({ length: 20 }, (_, i) => `spiffe://example.org/${i}` as SpiffeId);
    const name = '","verdict":"allow';
    const record = JSON.parse(lineOf({ destination: { ...DESTINATION, name, ids } }));
    assert.equal(record.sallyport.destination.name, name);
    assert.equal(record.sallyport.destination.ids.length, 17);
    assert.equal(record.sallyport.destination.ids[16], '… and 4 more');
  });
});

test('an inbound record has no destination', () => {
  const line = lineOf({ connection: sampleConnection, destination: undefined });
  assert.ok(!line.includes('"destination":{"name"'));
});

test('a moment past the last date there is does not cost the record', () => {
  assert.ok(lineOf({ atMs: Number.MAX_SAFE_INTEGER }).includes('"timestamp":"+275760-09-13T00:00:00.000Z"'));
});
