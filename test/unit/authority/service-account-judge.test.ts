import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';

import { ok } from '../../../src/core/kernel/result.ts';
import { createApiServer } from '../../../src/io/authority/api-server.ts';
import { createPodDirectory } from '../../../src/io/authority/pod-directory.ts';
import { createServiceAccountJudge } from '../../../src/io/authority/service-account-judge.ts';
import { createTokenReviewer } from '../../../src/io/authority/token-review.ts';
import {
  podObject,
  startFakeApiServer,
  type ApiServerFault,
  type FakeApiServer,
} from '../../support/fake-api-server.ts';
import { FakeIssuingAuthority } from '../../support/fake-issuing-authority.ts';
import { assertRefused, freshCsr, postSvid, realTimer, serveAuthority } from '../../support/served-authority.ts';

const POD = { namespace: 'agents', serviceAccount: 'planner', name: 'planner-1', uid: '4e0c' };
const KEY = 'agents/planner-1';
/** The token as it stands in the pod. */
const TOKEN = 'bound-token';
const HOME = '127.0.0.1';

async function world(context: TestContext, isAddressed = true) {
  const api = await startFakeApiServer(context);
  const { namespace, serviceAccount, name, uid } = POD;
  api.tokens.set(TOKEN, { audiences: ['sallyport'], namespace, serviceAccount, pod: { name, uid } });
  api.tokens.set('unbound', { audiences: ['sallyport'], namespace, serviceAccount });
  api.pods.set(KEY, podObject(POD, [HOME]));
  const readFile = (path: string) =>
    Promise.resolve(ok({ bytes: Buffer.from(path === 'ca' ? api.caPem : api.clientToken), mode: 0o600 }));
  const server = createApiServer({ url: api.url, tokenFile: 'token', caFile: 'ca' }, { readFile, timer: realTimer });
  context.after(() => server.stop());
  const binding = { pods: createPodDirectory(server), isAddressed };
  const reviewer = createServiceAccountJudge(createTokenReviewer('sallyport', server), binding);
  const served = await serveAuthority(context, new FakeIssuingAuthority(), { reviewer });
  const post = async (token = TOKEN) => {
    const { base64: csr } = await freshCsr();
    return postSvid(served.port, { csr, method: 'kubernetes', token });
  };
  return { ...served, lastReason: () => served.lastReason(), api, post, reviewer };
}

type Change = NonNullable<Parameters<typeof podObject>[2]>;
type Row = readonly [title: string, spoil: (api: FakeApiServer) => void, reason: string, detail: RegExp];

const pod =
  (change: Change, ips: readonly string[] = [HOME], who = POD) =>
  (api: FakeApiServer): void =>
    void api.pods.set(KEY, podObject(who, ips, change));
const fault =
  (podFault: ApiServerFault) =>
  (api: FakeApiServer): void => {
    api.podFault = podFault;
  };

const REFUSED: readonly Row[] = [
  ['there is no such pod', (api) => void api.pods.delete(KEY), 'pod_gone', /^pod 4e0c is there no more$/],
  [
    'another pod has its name by now',
    pod({}, [HOME], { ...POD, uid: 'other' }),
    'pod_gone',
    /its name is that of other$/,
  ],
  [
    'the pod runs as another service account',
    pod({}, [HOME], { ...POD, serviceAccount: 'admin' }),
    'pod_differs',
    /^pod 4e0c runs as admin, not as planner$/,
  ],
  ['it succeeded', pod({ status: { phase: 'Succeeded' } }), 'pod_gone', /has finished$/],
  ['it failed', pod({ status: { phase: 'Failed' } }), 'pod_gone', /has finished$/],
  ['it is being deleted', pod({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }), 'pod_ends', /deleted$/],
  ['it is on the network of its node', pod({ spec: { hostNetwork: true } }), 'pod_shares_address', /proves nothing$/],
  [
    'the connection comes from elsewhere',
    pod({}, ['10.1.0.7', 'fd00::7']),
    'pod_address',
    /^pod 4e0c has 10\.1\.0\.7, fd00:0:0:0:0:0:0:7, and the connection comes from 127\.0\.0\.1$/,
  ],
];

const UNAVAILABLE: readonly Row[] = [
  ['no address was written yet', pod({}, []), 'pod_has_no_address', /^pod 4e0c has no address yet$/],
  ['401', fault({ kind: 'status', status: 401 }), 'pod_unavailable', /does not know our own token/],
  ['403', fault({ kind: 'status', status: 403 }), 'pod_unavailable', /^pod: we may not get pods \(403\); let/],
  ['500', fault({ kind: 'status', status: 500 }), 'pod_unavailable', /^pod: the API server answered 500$/],
  [
    'a 404 that is not of the API',
    fault({ kind: 'status', status: 404 }),
    'pod_unavailable',
    /^pod: the answer is 404, and not of the API$/,
  ],
  ['garbage', fault({ kind: 'text', text: '<html>' }), 'pod_unavailable', /^pod: the answer is no JSON object/],
  ['another kind', fault({ kind: 'whole', change: () => ({ kind: 'List' }) }), 'pod_unavailable', /no Pod of v1$/],
  ['the connection is cut', fault({ kind: 'reset' }), 'pod_unavailable', /^pod: failed \([A-Z_]+\)$/],
  ['an answer without end', fault({ kind: 'endless' }), 'pod_unavailable', /larger than 4194304 bytes$/],
];

describe('a token that is bound to a pod is good in that pod alone', () => {
  test('in its pod: enrolled, with what the API server said of the pod', async (context) => {
    const { post, authority, api } = await world(context);
    assert.equal((await post()).status, 200);
    assert.deepEqual(authority.calls[0]?.attestation, {
      kind: 'kubernetes',
      namespace: 'agents',
      serviceAccount: 'planner',
      pod: { name: 'planner-1', uid: '4e0c', addresses: [HOME] },
    });
    assert.deepEqual(api.asked, [KEY]);
    assert.deepEqual(authority.noted, []);
  });

  for (const [title, spoil, reason, detail] of REFUSED)
    test(`${title}: 403, ${reason}, and written down`, async (context) => {
      const { post, api, authority, lines, lastReason } = await world(context);
      spoil(api);
      assertRefused(await post());
      assert.equal(lastReason(), reason);
      assert.match(String(lines.at(-1)?.['detail']), detail);
      assert.deepEqual(authority.calls, []);
      const [[caller, noted] = []] = authority.noted;
      assert.deepEqual([caller?.source, caller?.account?.pod?.uid], [HOME, '4e0c']);
      assert.match(noted ?? '', detail);
    });

  for (const [title, spoil, reason, detail] of UNAVAILABLE)
    test(`${title}: 503, ${reason}, and good once that is over`, async (context) => {
      const { post, api, authority, lines, lastReason } = await world(context);
      spoil(api);
      const answer = await post();
      assert.equal(answer.status, 503);
      // A pod's first second must not cost it five.
      assert.equal(answer.headers['retry-after'], reason === 'pod_has_no_address' ? '1' : '5');
      assert.equal(lastReason(), reason);
      assert.match(String(lines.at(-1)?.['detail']), detail);
      assert.deepEqual([authority.calls, authority.noted], [[], []]);
      api.podFault = undefined;
      api.pods.set(KEY, podObject(POD, [HOME]));
      assert.equal((await post()).status, 200);
    });

  test('a token that is bound to no pod: 403, pod_missing, and no pod is asked for', async (context) => {
    const { post, api, authority, lastReason } = await world(context);
    assertRefused(await post('unbound'));
    assert.deepEqual([lastReason(), api.asked], ['pod_missing', []]);
    const [[caller, detail] = []] = authority.noted;
    assert.equal(detail, 'service account token: it is bound to no pod');
    assert.deepEqual(caller?.account?.pod, undefined);
  });

  test('a token that nobody knows: written down by its address alone, and no pod is asked for', async (context) => {
    const { post, api, authority, lastReason } = await world(context);
    assertRefused(await post('unknown'));
    assert.deepEqual([lastReason(), api.asked], ['token_refused', []]);
    const detail = 'service account token: the API server could not check it';
    assert.deepEqual(authority.noted, [[{ source: HOME, account: undefined }, detail]]);
  });

  test('IPv4-mapped IPv6 is the same address on either side', async (context) => {
    const { reviewer, api } = await world(context);
    assert.equal((await reviewer.review(TOKEN, '::ffff:127.0.0.1')).ok, true);
    api.pods.set(KEY, podObject(POD, ['::ffff:7f00:1']));
    assert.equal((await reviewer.review(TOKEN, HOME)).ok, true);
    assert.equal((await reviewer.review(TOKEN, '127.0.0.2')).ok, false);
    assert.equal((await reviewer.review(TOKEN, 'unknown')).ok, false);
  });

  test('podAddress: false: from any address, also without one, and all else as before', async (context) => {
    const { post, api, lastReason } = await world(context, false);
    for (const spoil of [pod({}, ['10.1.0.7']), pod({}, []), pod({ spec: { hostNetwork: true } })]) {
      spoil(api);
      assert.equal((await post()).status, 200);
    }
    pod({}, [HOME], { ...POD, uid: 'other' })(api);
    assertRefused(await post());
    assert.equal(lastReason(), 'pod_gone');
  });
});
