import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { requestFault } from '../../../src/io/control/request-fault.ts';
import { shownUrl } from '../../../src/io/control/settings.ts';

test('a cause that is known is said in words; one below another is found', () => {
  assert.deepEqual(requestFault({ code: 'ENOTFOUND' }), { kind: 'unreachable', detail: 'the host name is not known' });
  assert.deepEqual(requestFault(new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } })), {
    kind: 'broken',
    detail: 'the connection was cut',
  });
  assert.deepEqual(requestFault({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' }), {
    kind: 'unreachable',
    detail: 'TLS failed (ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION)',
  });
});

test('property: nothing of a message, which a server can choose, is told', () => {
  fc.assert(
    fc.property(fc.anything(), fc.string({ minLength: 20 }), (code, message) => {
      const fault = requestFault(Object.assign(new Error(message), { code }));
      assert.ok(!fault.detail.includes(message));
      assert.ok(fault.detail.length < 120);
    }),
  );
});

test('a URL is shown without its query', () => {
  assert.equal(shownUrl('https://h:8443/a/b?sig=secret#x'), 'https://h:8443/a/b');
});
