import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';

import type { ConnectionId } from '../../../src/core/kernel/brand.ts';
import type { Connection } from '../../../src/core/model/connection.ts';
import { connectionText } from '../../../src/core/record/connection-text.ts';
import { inert } from '../../../src/core/record/json-text.ts';
import { sampleConnection } from '../../support/record-facts.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const connection: fc.Arbitrary<Connection> = fc
  .record({ id: text, address: fc.oneof(text, fc.constantFrom('::1', '10.0.0.9')), port: fc.nat(65_535) })
  .map(({ id, address, port }) => ({ ...sampleConnection, id: id as ConnectionId, remote: { address, port } }));

/** The same members by plain `JSON.stringify`. */
function plain({ direction, remote, id }: Connection, peer: string | undefined): string {
  const { address, port } = remote;
  const members = { direction, peer, remote: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`, connection: id }; // prettier-ignore
  return inert(JSON.stringify(members)).slice(1, -1);
}

test('property: hostile texts too are written as JSON.stringify does, and a peer that changed is the new one', () => {
  fc.assert(
    fc.property(connection, fc.array(fc.option(text, { nil: undefined }), { minLength: 1 }), (one, peers) => {
      for (const peer of peers) {
        assert.equal(connectionText(one, peer), plain(one, peer));
        assert.equal(connectionText(one, peer), plain(one, peer), 'again');
      }
    }),
  );
});
