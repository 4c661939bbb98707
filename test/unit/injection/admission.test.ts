import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { admissionAnswer, refusalMessage } from '../../../src/core/injection/admission-answer.ts';
import { MAX_REVIEW_CHARACTERS, readAdmissionReview } from '../../../src/core/injection/admission-review.ts';
import { agentPod } from './pods.ts';

import type { AdmissionVerdict } from '../../../src/core/injection/admission-answer.ts';
import type { InjectionRefusal } from '../../../src/core/model/injection.ts';

type Json = Readonly<Record<string, unknown>>;

const UID = '705ab4f5-6393-11e8-b7cc-42010a800002';
const REQUEST = {
  uid: UID,
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: { group: '', version: 'v1', resource: 'pods' },
  requestKind: { group: '', version: 'v1', kind: 'Pod' },
  name: '',
  namespace: 'agents',
  operation: 'CREATE',
  userInfo: { username: 'system:serviceaccount:kube-system:replicaset-controller' },
  object: agentPod(),
  oldObject: null,
  dryRun: false,
  options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
};

function text(request: Json = {}, around: Json = {}): string {
  return JSON.stringify({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: { ...REQUEST, ...request },
    ...around,
  });
}

function problem(review: string): string | undefined {
  const read = readAdmissionReview(review);
  return read.ok ? undefined : read.error;
}

describe('readAdmissionReview (admission.k8s.io/v1)', () => {
  test('a pod that is created', () => {
    const value = { uid: UID, namespace: 'agents', dryRun: false, kind: 'pod', pod: REQUEST.object };
    assert.deepEqual(readAdmissionReview(text()), { ok: true, value });
  });

  test('a dry run says so, and absent is none', () => {
    for (const [dryRun, expected] of [
      [true, true],
      [undefined, false],
      [null, false],
    ] as const) {
      const read = readAdmissionReview(text({ dryRun }));
      assert.equal(read.ok && read.value.dryRun, expected);
    }
  });

  test('ephemeral containers that are added to a pod', () => {
    const update = { operation: 'UPDATE', subResource: 'ephemeralcontainers', oldObject: { old: true } };
    const read = readAdmissionReview(text(update));
    const value = {
      uid: UID,
      namespace: 'agents',
      dryRun: false,
      kind: 'ephemeral',
      oldPod: { old: true },
      pod: REQUEST.object,
    };
    assert.deepEqual(read, { ok: true, value });
  });

  const SUBJECT = 'request: CREATE of pods or UPDATE of pods/ephemeralcontainers, version v1, is expected';
  const cases: readonly (readonly [string, string, string])[] = [
    ['no JSON', 'x', 'not JSON'],
    ['nothing', '', 'not JSON'],
    ['a list', '[]', 'apiVersion: admission.k8s.io/v1 is expected'],
    [
      'version v1beta1',
      text({}, { apiVersion: 'admission.k8s.io/v1beta1' }),
      'apiVersion: admission.k8s.io/v1 is expected',
    ],
    ['another kind', text({}, { kind: 'Pod' }), 'kind: AdmissionReview is expected'],
    ['no request', text({}, { request: null }), 'request.uid: text is expected'],
    ['no uid', text({ uid: '' }), 'request.uid: text is expected'],
    ['a uid with a line', text({ uid: 'a\nb' }), 'request.uid: text is expected'],
    ['no namespace', text({ namespace: undefined }), 'request.namespace: text is expected'],
    ['no object', text({ object: null }), 'request.object: an object is expected'],
    ['an object as text', text({ object: '{}' }), 'request.object: an object is expected'],
    ['dryRun as text', text({ dryRun: 'true' }), 'request.dryRun: true or false is expected'],
    ['another operation', text({ operation: 'DELETE' }), SUBJECT],
    ['an update of a pod', text({ operation: 'UPDATE' }), SUBJECT],
    ['another resource', text({ resource: { group: 'apps', version: 'v1', resource: 'deployments' } }), SUBJECT],
    [
      'pods of another group',
      text({ resource: { group: 'metrics.k8s.io', version: 'v1', resource: 'pods' } }),
      SUBJECT,
    ],
    ['pods of another version', text({ resource: { group: '', version: 'v2', resource: 'pods' } }), SUBJECT],
    ['another subresource', text({ subResource: 'binding' }), SUBJECT],
    [
      'no pod before',
      text({ operation: 'UPDATE', subResource: 'ephemeralcontainers' }),
      'request.oldObject: an object is expected',
    ],
    ['a key twice', text().replace('"uid":', '"uid":"other","uid":'), 'a key stands twice in one object'],
    [
      'a key twice in the pod',
      text().replace('"serviceAccountName":', '"hostNetwork":true,"hostNetwork":false,"serviceAccountName":'),
      'a key stands twice in one object',
    ],
    ['too deep', `{"a":${'['.repeat(200)}${']'.repeat(200)}}`, 'nested deeper than 128 levels'],
    ['too long', ' '.repeat(MAX_REVIEW_CHARACTERS + 1), `longer than ${MAX_REVIEW_CHARACTERS} characters`],
  ];
  for (const [title, review, expected] of cases) {
    test(`${title} is refused`, () => assert.equal(problem(review), expected));
  }

  test('no text throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (review) => typeof problem(review) === 'string'));
    fc.assert(
      fc.property(
        fc.nat(text().length),
        (length) => length === text().length || typeof problem(text().slice(0, length)) === 'string',
      ),
    );
  });
});

function response(verdict: AdmissionVerdict): Json {
  const answer = JSON.parse(admissionAnswer(UID, verdict)) as Json;
  assert.deepEqual([answer['apiVersion'], answer['kind']], ['admission.k8s.io/v1', 'AdmissionReview']);
  return answer['response'] as Json;
}

const REFUSAL: InjectionRefusal = { kind: 'host_namespace', path: 'spec.hostNetwork', message: 'remove it' };

const codeOf = (refusals: readonly InjectionRefusal[]) =>
  (response({ kind: 'denied', refusals })['status'] as Json)['code'];

describe('admissionAnswer (admission.k8s.io/v1, AdmissionResponse)', () => {
  test('allowed: the patch as base64 of JSON, whatever characters are in it', () => {
    const patch = [{ op: 'add', path: '/metadata/labels/a~1b', value: 'grün €' }] as const;
    const made = response({ kind: 'allowed', patch, warnings: ['w'] });
    assert.deepEqual(
      { ...made, patch: undefined },
      { uid: UID, allowed: true, patchType: 'JSONPatch', patch: undefined, warnings: ['w'] },
    );
    assert.deepEqual(JSON.parse(Buffer.from(String(made['patch']), 'base64').toString('utf8')), patch);
  });

  test('allowed as it is: neither patch nor type nor warnings', () => {
    assert.deepEqual(response({ kind: 'allowed', patch: [], warnings: [] }), { uid: UID, allowed: true });
  });

  test('warnings have at most 256 characters in one line, are there once, and are at most 16', () => {
    const warnings = ['x'.repeat(300), 'a\nb', 'a\nb', ...Array.from({ length: 30 }, (_, index) => `w${index}`)];
    const made = response({ kind: 'allowed', patch: [], warnings })['warnings'] as readonly string[];
    assert.equal(made.length, 16);
    assert.equal(made[0]?.length, 256);
    assert.deepEqual(made.slice(1, 3), ['a b', 'w0']);
  });

  test('denied: 403 with every reason in a line of its own', () => {
    const refusals = [REFUSAL, { ...REFUSAL, path: '', message: 'second\nline' }];
    assert.deepEqual(response({ kind: 'denied', refusals }), {
      uid: UID,
      allowed: false,
      status: {
        code: 403,
        reason: 'Forbidden',
        message:
          'Sallyport lets this pod in only after a change:\n- spec.hostNetwork: remove it [host_namespace]\n- second line [host_namespace]',
      },
    });
  });

  test('denied for now: 503 where nothing but the injector is not ready', () => {
    const later: InjectionRefusal = { kind: 'not_ready', path: '', message: 'try again' };
    assert.equal(codeOf([later]), 503);
    assert.equal(codeOf([later, REFUSAL]), 403);
  });

  test('a message is bounded and says how many reasons it leaves out', () => {
    const refusals = Array.from({ length: 500 }, (_, index) => ({ ...REFUSAL, path: `spec.containers[${index}]` }));
    const message = refusalMessage(refusals);
    assert.ok(message.length <= 4_096, String(message.length));
    const kept = message.split('\n').length - 2;
    assert.ok(message.endsWith(`\n- and ${500 - kept} more`));
    assert.ok(refusalMessage([{ ...REFUSAL, message: 'x'.repeat(10_000) }]).length < 1_200);
  });
});
