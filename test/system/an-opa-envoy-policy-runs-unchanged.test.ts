import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startEchoUpstream, valueOf, type Received } from '../support/echo-upstream.ts';
import { valueOf as headerOf } from '../support/raw-http1-peer.ts';
import { ask, answer, connectHttp1, connectHttp2, get, grpcHead, grpcMessage } from '../support/system-clients.ts';
import { startSystem } from '../support/system.ts';

/**
 * A policy as one writes it for OPA-Envoy: roles by user name of Basic authentication, paths by `parsed_path`, and every obligation of the
 * plugin. It knows nothing of Sallyport.
 */
const ENVOY = `package envoy.authz

import input.attributes.request.http as request

default allow := {"allowed": false, "http_status": 403, "body": "no entry"}

roles := {"hanna": "staff", "otto": "visitor"}

credentials := parts if {
	[scheme, encoded] := split(request.headers.authorization, " ")
	scheme == "Basic"
	parts := split(base64.decode(encoded), ":")
}

user := credentials[0]

role := roles[user]

allow := {
	"allowed": true,
	"headers": {"x-user": user, "x-role": role},
	"response_headers_to_add": {"x-checked": "yes"},
	"request_headers_to_remove": ["x-secret"],
	"query_parameters_to_set": {"by": user},
	"query_parameters_to_remove": ["debug"],
	"dynamic_metadata": {"role": role},
} if {
	permitted
}

allow := {
	"allowed": false,
	"http_status": 401,
	"headers": {"www-authenticate": "Basic realm=books"},
	"body": "who are you?",
} if {
	not role
}

permitted if {
	role == "staff"
}

permitted if {
	role == "visitor"
	request.method == "GET"
	input.parsed_path[0] == "books"
	not input.parsed_query.hidden
}

permitted if {
	role == "visitor"
	input.parsed_path == ["library.Books", "List"]
}
`;

const basic = (user: string): string => `Authorization: Basic ${Buffer.from(`${user}:pw`).toString('base64')}\r\n`;

test('a policy written for OPA-Envoy decides and obliges as it does there', { timeout: 60_000 }, async (context) => {
  const upstream = await startEchoUpstream();
  context.after(upstream.close);
  const system = await startSystem(context, {
    upstream: `auto://127.0.0.1:${upstream.port}`,
    policy: { rego: ENVOY, decision: 'envoy/authz/allow', revision: 'r1' },
  });
  const { sidecar } = system;
  const peer = await connectHttp1(context, system);

  await context.test('an allow carries out every obligation', async () => {
    const response = await get(peer, '/books/7?debug=1&page=2', `${basic('otto')}X-Secret: s\r\nX-User: forged\r\n`);
    assert.equal(response.status, 200);
    assert.equal(headerOf(response, 'x-checked'), 'yes');
    const received: Received = await upstream.next();
    assert.equal(received.requestLine, 'GET /books/7?page=2&by=otto HTTP/1.1');
    assert.equal(valueOf(received.headers, 'x-user'), 'otto');
    assert.equal(valueOf(received.headers, 'x-role'), 'visitor');
    assert.equal(valueOf(received.headers, 'x-secret'), undefined);

    const [record] = await sidecar.recordsFrom(0, 1);
    assert.equal(record?.path, 'envoy/authz/allow');
    assert.deepEqual(record.bundles, { policy: { revision: 'r1' } });
    assert.equal(record.sallyport.verdict, 'allow');
    assert.deepEqual((record.result as { dynamic_metadata: unknown }).dynamic_metadata, { role: 'visitor' });
    assert.ok(record.masked?.includes('/input/attributes/request/http/headers/authorization'));
    assert.equal(JSON.stringify(record).includes(basic('otto').slice(21, -2)), false, 'no credential is written down');
  });

  const refusals = [
    ['default', '/office', basic('otto'), 403, 'no entry', undefined],
    ['query', '/books?hidden=1', basic('otto'), 403, 'no entry', undefined],
    ['http_status, headers and body', '/books', '', 401, 'who are you?', 'Basic realm=books'],
    ['an unknown user', '/books', basic('eve'), 401, 'who are you?', 'Basic realm=books'],
  ] as const;
  for (const [title, target, headers, status, body, authenticate] of refusals) {
    await context.test(`a denial: ${title}`, async () => {
      const before = sidecar.records().length;
      const response = await get(peer, target, headers);
      assert.deepEqual([response.status, response.body], [status, body]);
      assert.equal(headerOf(response, 'www-authenticate'), authenticate);
      const [record, ...more] = await sidecar.recordsFrom(before, 1);
      assert.deepEqual([record?.sallyport.verdict, record?.sallyport.fault], ['deny', 'policy_denied']);
      assert.deepEqual(more, []);
    });
  }

  await context.test('gRPC: parsed_path is service and method, and a denial is trailers-only', async () => {
    const session = await connectHttp2(context, system);
    const authorization = basic('otto').slice(15, -2);
    const allowed = ask(session, { ...grpcHead('/library.Books/List'), authorization }, false);
    allowed.end(grpcMessage('all'));
    const { body, trailers } = await answer(allowed);
    assert.deepEqual([body, trailers['grpc-status']], [grpcMessage('all'), '0']);
    const denied = await answer(ask(session, { ...grpcHead('/library.Books/Burn'), authorization }));
    assert.deepEqual([denied.headers[':status'], denied.headers['grpc-status']], [200, '7']);
    assert.equal(denied.headers['grpc-message'], 'no entry');
  });
  assert.equal(upstream.received.length, 2, 'nothing that was denied reached the agent');
});
