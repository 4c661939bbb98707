import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';

import fc from 'fast-check';

import { readTokenReview } from '../../../src/io/authority/token-review-answer.ts';
import { createApiServer, inClusterApi } from '../../../src/io/authority/api-server.ts';
import { createTokenReviewer } from '../../../src/io/authority/token-review.ts';
import { ok, err } from '../../../src/core/kernel/result.ts';
import { startFakeApiServer, type ApiServerFault, type FakeApiServer } from '../../support/fake-api-server.ts';
import { createManualTimer } from '../../support/manual-timer.ts';
import { createAuthority } from '../../support/pki.ts';
import { until } from '../../support/until.ts';

const AUDIENCE = 'spiffe://example.org';
const TOKEN = 'eyJhbGciOiJub25lIn0.c2VjcmV0.dG9rZW4';
const POD = { name: 'planner-7d9c5-xk2lp', uid: '4e0c4d9e-37b7-41f4-9d4b-1cd46a2b8d4d' };

type World = {
  readonly api: FakeApiServer;
  readonly files: Map<string, string>;
  readonly timer: ReturnType<typeof createManualTimer>;
  readonly server: ReturnType<typeof createApiServer>;
  readonly review: ReturnType<typeof createTokenReviewer>;
};

async function world(context: TestContext): Promise<World> {
  const api = await startFakeApiServer(context);
  api.tokens.set(TOKEN, { audiences: [AUDIENCE], namespace: 'agents', serviceAccount: 'planner', pod: POD });
  const files = new Map([
    ['token', 'client-token\n'],
    ['ca', api.caPem],
  ]);
  const timer = createManualTimer();
  const server = createApiServer(
    { url: api.url, tokenFile: 'token', caFile: 'ca', timeoutMs: 4_321 },
    {
      readFile: (path) => {
        const text = files.get(path);
        return Promise.resolve(
          text === undefined ? err(`${path}: not found`) : ok({ bytes: Buffer.from(text), mode: 0o644 }),
        );
      },
      timer: timer.timer,
    },
  );
  context.after(() => server.stop());
  return { api, files, timer, server, review: createTokenReviewer(AUDIENCE, server) };
}

const GOOD = { kind: 'kubernetes', namespace: 'agents', serviceAccount: 'planner', pod: POD };

describe('a review over HTTPS', () => {
  test('a token that the API server knows for our audience: its service account and pod', async (context) => {
    const { api, review } = await world(context);
    assert.deepEqual(await review.review(TOKEN), { ok: true, value: GOOD });
    assert.deepEqual(api.reviews, [
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: TOKEN, audiences: [AUDIENCE] } },
    ]);
  });

  test('a token that is bound to no pod', async (context) => {
    const { api, review } = await world(context);
    api.tokens.set('unbound', { audiences: [AUDIENCE], namespace: 'agents', serviceAccount: 'a.b-c' });
    const answer = await review.review('unbound');
    assert.deepEqual(answer, { ok: true, value: { ...GOOD, serviceAccount: 'a.b-c', pod: undefined } });
  });

  test('our own token and the certificates we believe are read anew for each review', async (context) => {
    const { api, files, review } = await world(context);
    assert.equal((await review.review(TOKEN)).ok, true);
    api.clientToken = 'rotated';
    assert.deepEqual(await review.review(TOKEN), unavailable('the API server does not know our own token (401)'));
    files.set('token', 'rotated');
    assert.equal((await review.review(TOKEN)).ok, true);
    files.set('ca', createAuthority({ trustDomain: 'cluster.test' }).bundlePem);
    const other = await review.review(TOKEN);
    assert.ok(!other.ok && other.error.kind === 'unavailable', JSON.stringify(other));
    files.set('ca', api.caPem);
    assert.equal((await review.review(TOKEN)).ok, true);
  });

  test('files that are missing or hold something else', async (context) => {
    const { api, files, review } = await world(context);
    files.set('ca', '');
    assert.deepEqual(await review.review(TOKEN), unavailable('ca: holds no certificate in PEM'));
    files.set('token', 'two words');
    assert.deepEqual(await review.review(TOKEN), unavailable('token: holds no bearer token (RFC 6750 2.1)'));
    files.delete('token');
    assert.deepEqual(await review.review(TOKEN), unavailable('token: not found'));
    assert.deepEqual(api.reviews, []);
  });

  for (const token of ['', ' ', 'a b', 'a\r\nb', 'ü', '"', 'x'.repeat(16_385)]) {
    test(`what cannot be a token is not sent: ${JSON.stringify(token.slice(0, 10))}`, async (context) => {
      const { api, review } = await world(context);
      assert.deepEqual(await review.review(token), refused('it has not the form of one'));
      assert.deepEqual(api.reviews, []);
    });
  }

  const SLOW: readonly ApiServerFault[] = [{ kind: 'silent' }, { kind: 'stalled' }];
  for (const fault of SLOW) {
    test(`an API server that is ${fault.kind} has until the deadline`, async (context) => {
      const { api, review, timer } = await world(context);
      api.fault = fault;
      const answer = review.review(TOKEN);
      await until('the review', () => api.reviews.length > 0);
      await timer.fire(4_321);
      assert.deepEqual(await answer, unavailable('no whole answer within 4321 ms'));
      assert.deepEqual(timer.set(), []);
    });
  }

  test('stopping ends a review under way', async (context) => {
    const { api, review, server } = await world(context);
    api.fault = { kind: 'silent' };
    const answer = review.review(TOKEN);
    await until('the review', () => api.reviews.length > 0);
    await server.stop();
    assert.deepEqual(await answer, unavailable('stopped'));
  });

  test('nobody listens', async (context) => {
    const { api, review } = await world(context);
    await api.stop();
    assert.deepEqual(await review.review(TOKEN), unavailable('failed (ECONNREFUSED)'));
    await api.start();
  });

  test('a connection that is cut', async (context) => {
    const { api, review } = await world(context);
    api.fault = { kind: 'reset' };
    const answer = await review.review(TOKEN);
    assert.ok(!answer.ok && /^TokenReview: failed \([A-Z_]+\)$/.test(answer.error.detail), JSON.stringify(answer));
  });

  test('an answer without end is not read to its end', async (context) => {
    const { api, review } = await world(context);
    api.fault = { kind: 'endless' };
    assert.deepEqual(await review.review(TOKEN), unavailable('the answer is larger than 262144 bytes'));
  });
});

type Row = readonly [title: string, fault: ApiServerFault, answer: unknown];
type Status = Readonly<Record<string, unknown>> & { readonly user?: object };

const changed = (change: object): ApiServerFault => ({
  kind: 'changed',
  change: (status) => ({ ...status, ...change }),
});
const user = (change: object): ApiServerFault => ({
  kind: 'changed',
  change: (status: Status) => ({ ...status, user: { ...status.user, ...change } }),
});
const named = (username: string): ApiServerFault => user({ username });
const pod = (name: unknown, uid: unknown): ApiServerFault =>
  user({ extra: { 'authentication.kubernetes.io/pod-name': name, 'authentication.kubernetes.io/pod-uid': uid } });

const NO_POD = 'status.user.extra does not name one pod with its UID';
const BAD_NAME = "namespace or service account are not named by Kubernetes' rules";
const NO_GROUPS = 'its user has the name, but not the groups of a service account';

const FAULTS: readonly Row[] = [
  ['401', { kind: 'status', status: 401 }, unavailable('the API server does not know our own token (401)')],
  [
    '403',
    { kind: 'status', status: 403 },
    unavailable('we may not create tokenreviews (403); bind system:auth-delegator to our service account'),
  ],
  ['404', { kind: 'status', status: 404 }, unavailable('the API server answered 404')],
  ['500', { kind: 'status', status: 500 }, unavailable('the API server answered 500')],
  ['a redirect is not followed', { kind: 'status', status: 307 }, unavailable('the API server answered 307')],
  ['202 is no answer', { kind: 'status', status: 202 }, unavailable('the API server answered 202')],
  ['garbage', { kind: 'text', text: '<html>' }, unavailable('the answer is no JSON, or names a key twice')],
  ['nothing', { kind: 'text', text: '' }, unavailable('the answer is no JSON, or names a key twice')],
  [
    'a key twice',
    { kind: 'text', text: '{"kind":"TokenReview","kind":"TokenReview"}' },
    unavailable('the answer is no JSON, or names a key twice'),
  ],
  ['an array', { kind: 'text', text: '[]' }, unavailable('the answer is no TokenReview of authentication.k8s.io/v1')],
  ['null', { kind: 'text', text: 'null' }, unavailable('the answer is no TokenReview of authentication.k8s.io/v1')],
  [
    'another kind',
    { kind: 'whole', change: (review) => ({ ...review, kind: 'SubjectAccessReview' }) },
    unavailable('the answer is no TokenReview of authentication.k8s.io/v1'),
  ],
  [
    'another version',
    { kind: 'whole', change: (review) => ({ ...review, apiVersion: 'authentication.k8s.io/v1beta1' }) },
    unavailable('the answer is no TokenReview of authentication.k8s.io/v1'),
  ],
  ['no status', { kind: 'changed', change: () => undefined }, unavailable('the answer has no status')],
  ['a status that is none', { kind: 'changed', change: () => [true] }, unavailable('the answer has no status')],
  ['not authenticated', changed({ authenticated: false }), refused('the API server does not know it')],
  ['authenticated left out', changed({ authenticated: undefined }), refused('the API server does not know it')],
  [
    'not authenticated, with an error whose text is not passed on',
    changed({ authenticated: false, error: `token ${TOKEN} is bad` }),
    refused('the API server could not check it'),
  ],
  ['authenticated as text', changed({ authenticated: 'true' }), unavailable('status.authenticated is no boolean')],
  ['authenticated as null', changed({ authenticated: null }), unavailable('status.authenticated is no boolean')],
  ['authenticated as 1', changed({ authenticated: 1 }), unavailable('status.authenticated is no boolean')],
  ['authenticated with an error', changed({ error: 'but' }), unavailable('authenticated, and yet with an error')],
  [
    'another audience',
    changed({ audiences: ['https://kubernetes.default.svc'] }),
    refused('it is for another audience'),
  ],
  [
    'an audience that begins like ours',
    changed({ audiences: [`${AUDIENCE}.evil`] }),
    refused('it is for another audience'),
  ],
  ['no audience of the list', changed({ audiences: [] }), refused('it is for another audience')],
  [
    'an API server that does not know audiences',
    changed({ audiences: undefined }),
    unavailable('status.audiences is missing or no list of texts'),
  ],
  [
    'an audience as text',
    changed({ audiences: AUDIENCE }),
    unavailable('status.audiences is missing or no list of texts'),
  ],
  [
    'audiences that are not all texts',
    changed({ audiences: [AUDIENCE, 1] }),
    unavailable('status.audiences is missing or no list of texts'),
  ],
  ['no user', changed({ user: undefined }), unavailable('status.user is missing')],
  ['a user that is a text', changed({ user: 'x' }), unavailable('status.user is missing')],
  ['no user name', user({ username: undefined }), unavailable('status.user.username is no text')],
  ['a user name that is a number', user({ username: 7 }), unavailable('status.user.username is no text')],
  ['no groups', user({ groups: undefined }), unavailable('status.user.groups is missing or no list of texts')],
  ['groups as text', user({ groups: 'a' }), unavailable('status.user.groups is missing or no list of texts')],
  ['a person', named('kubernetes-admin'), refused('its user is no service account')],
  ['a node', named('system:node:worker-1'), refused('its user is no service account')],
  [
    'the prefix in another case',
    named('System:ServiceAccount:agents:planner'),
    refused('its user is no service account'),
  ],
  ['no service account', named('system:serviceaccount:agents'), refused(BAD_NAME)],
  ['an empty service account', named('system:serviceaccount:agents:'), refused(BAD_NAME)],
  ['an empty namespace', named('system:serviceaccount::planner'), refused(BAD_NAME)],
  ['a part too many', named('system:serviceaccount:agents:planner:x'), refused(BAD_NAME)],
  ['a slash', named('system:serviceaccount:agents:planner/../admin'), refused(BAD_NAME)],
  ['dots', named('system:serviceaccount:agents:..'), refused(BAD_NAME)],
  ['a dot in a namespace', named('system:serviceaccount:agents.x:planner'), refused(BAD_NAME)],
  ['capitals', named('system:serviceaccount:agents:Planner'), refused(BAD_NAME)],
  ['a line end', named('system:serviceaccount:agents:planner\n'), refused(BAD_NAME)],
  ['percent encoding', named('system:serviceaccount:agents:%70lanner'), refused(BAD_NAME)],
  ['letters that look alike', named('system:serviceaccount:agents:pl\u0430nner'), refused(BAD_NAME)],
  ['a dash at the end', named('system:serviceaccount:agents-:planner'), refused(BAD_NAME)],
  ['a namespace of 64', named(`system:serviceaccount:${'a'.repeat(64)}:planner`), refused(BAD_NAME)],
  ['a service account of 254', named(`system:serviceaccount:agents:${'a'.repeat(254)}`), refused(BAD_NAME)],
  ['a user who is only named so', user({ groups: ['system:authenticated'] }), refused(NO_GROUPS)],
  [
    'groups of another namespace',
    user({ groups: ['system:serviceaccounts', 'system:serviceaccounts:other'] }),
    refused(NO_GROUPS),
  ],
  ['extra that is a text', user({ extra: 'x' }), unavailable('status.user.extra is no object')],
  ['a pod name without its UID', pod([POD.name], undefined), unavailable(NO_POD)],
  ['a UID without the name', pod(undefined, [POD.uid]), unavailable(NO_POD)],
  ['two pod names', pod([POD.name, 'other'], [POD.uid]), unavailable(NO_POD)],
  ['two UIDs', pod([POD.name], [POD.uid, POD.uid]), unavailable(NO_POD)],
  ['a pod name as text', pod(POD.name, [POD.uid]), unavailable(NO_POD)],
  ['a pod name with a slash', pod(['a/b'], [POD.uid]), unavailable(NO_POD)],
  ['a UID with a line end', pod([POD.name], [`${POD.uid}\n`]), unavailable(NO_POD)],
  ['an empty UID', pod([POD.name], ['']), unavailable(NO_POD)],
];

describe('a wrong answer is refused by name', () => {
  test('every row, and no text of it holds the token', async (context) => {
    const { api, review } = await world(context);
    for (const [title, fault, answer] of FAULTS) {
      api.fault = fault;
      const got = await review.review(TOKEN);
      assert.deepEqual(got, answer, title);
      assert.ok(!JSON.stringify(got).includes(TOKEN), title);
    }
    api.fault = undefined;
    assert.equal((await review.review(TOKEN)).ok, true);
  });

  test('an unknown token, and one for another audience', async (context) => {
    const { api, review } = await world(context);
    api.tokens.set('other', { audiences: ['vault'], namespace: 'agents', serviceAccount: 'planner' });
    assert.deepEqual(await review.review('other'), refused('the API server could not check it'));
    assert.deepEqual(await review.review('unknown'), refused('the API server could not check it'));
  });

  test('fields that the API may gain are passed over', async (context) => {
    const { api, review } = await world(context);
    api.fault = changed({ future: { a: 1 } });
    assert.deepEqual(await review.review(TOKEN), { ok: true, value: GOOD });
  });

  test('property: no text throws, and none but a whole review is believed', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (text) => {
        assert.equal(readTokenReview(text, AUDIENCE).ok, false);
      }),
    );
  });

  test('property: what is believed has names that are segments of a SPIFFE ID', () => {
    const part = fc.string({
      unit: fc.constantFrom('a', 'b', '0', '-', '.', '_', ':', '/', '%', 'A', '\n'),
      maxLength: 12,
    });
    fc.assert(
      fc.property(part, part, (namespace, account) => {
        const review = {
          kind: 'TokenReview',
          apiVersion: 'authentication.k8s.io/v1',
          status: {
            authenticated: true,
            audiences: [AUDIENCE],
            user: {
              username: `system:serviceaccount:${namespace}:${account}`,
              groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
            },
          },
        };
        const answer = readTokenReview(JSON.stringify(review), AUDIENCE);
        if (!answer.ok) return;
        assert.match(answer.value.namespace, /^[a-z0-9-]+$/);
        assert.match(answer.value.serviceAccount, /^[a-z0-9.-]+$/);
        assert.ok(!['.', '..'].includes(answer.value.serviceAccount));
        assert.equal(`${answer.value.namespace}:${answer.value.serviceAccount}`, `${namespace}:${account}`);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('in a cluster', () => {
  const FILES = {
    tokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token',
    caFile: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
  };
  test('the environment and the files that every pod has', () => {
    const environment = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };
    const value = { url: 'https://10.96.0.1:443', ...FILES };
    assert.deepEqual(inClusterApi(environment), { ok: true, value });
  });
  test('RFC 3986 3.2.2: an IPv6 address is bracketed', () => {
    const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
    const settings = inClusterApi(environment);
    assert.equal(settings.ok && settings.value.url, 'https://[fd00::1]:6443');
  });
  for (const [host, port] of [
    ['', '443'],
    ['10.96.0.1', ''],
    ['10.96.0.1/x', '443'],
    ['user@evil', '443'],
    ['10.96.0.1', '443x'],
  ]) {
    test(`not where the API server is: ${host} ${port}`, () => {
      const settings = inClusterApi({ KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port });
      assert.ok(!settings.ok && settings.error.includes('is this a pod?'));
    });
  }
  test('outside of a pod', () => assert.equal(inClusterApi({}).ok, false));
});

function refused(detail: string): unknown {
  return { ok: false, error: { kind: 'refused', detail: `service account token: ${detail}` } };
}

function unavailable(detail: string): unknown {
  return { ok: false, error: { kind: 'unavailable', detail: `TokenReview: ${detail}` } };
}
