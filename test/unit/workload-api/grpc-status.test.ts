import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { showStatus, statusFields, statusIn, statusOfHttp } from '../../../src/io/workload-api/grpc-status.ts';

describe('gRPC over HTTP/2: Status and Status-Message', () => {
  test('what we write we read', () => {
    fc.assert(
      fc.property(fc.nat(16), fc.string({ maxLength: 60 }), (code, message) => {
        const read = statusIn(statusFields({ code, message }));
        assert.deepEqual(read, { code, message: message.replaceAll(/\p{C}/gu, '?') });
      }),
    );
  });

  test('any fields never throw, and no control character gets through', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (code, message) => {
        const read = statusIn({ 'grpc-status': code, 'grpc-message': message });
        assert.doesNotMatch(read?.message ?? '', /\p{Cc}/u);
        assert.ok((read?.message.length ?? 0) <= 256);
      }),
    );
  });

  test('a status that is missing, twice or no number is none', () => {
    for (const status of [undefined, '', '-1', '1.5', '0x1', '99999', ['0', '0']])
      assert.equal(statusIn({ 'grpc-status': status }), undefined);
  });

  test('percent-encoding that is no UTF-8 stays as it came; line ends of a log are taken out', () => {
    assert.equal(statusIn({ 'grpc-status': '5', 'grpc-message': '%ff%' })?.message, '%ff%');
    assert.equal(statusIn({ 'grpc-status': '5', 'grpc-message': 'a%0Ab' })?.message, 'a?b');
  });

  test('names for the operator', () => {
    assert.deepEqual(
      [
        { code: 7, message: '' },
        { code: 14, message: 'later' },
        { code: 99, message: '' },
      ].map(showStatus),
      ['PermissionDenied', 'Unavailable: later', 'status 99'],
    );
  });

  test('HTTP to gRPC status code mapping', () => {
    const codes = [400, 401, 403, 404, 429, 502, 503, 504, 500, 302].map((http) => statusOfHttp(http).code);
    assert.deepEqual(codes, [13, 16, 7, 12, 14, 14, 14, 14, 2, 2]);
  });
});
