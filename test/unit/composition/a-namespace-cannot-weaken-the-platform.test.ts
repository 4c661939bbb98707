import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { PolicyPart } from '../../../src/core/composition/policy-part.ts';
import { answerOf, compose, EMPTY_PART, libraryPart, loadComposed, policyPart } from '../../support/policy-parts.ts';

const PLATFORM = {
  'platform/p.rego': `package sallyport.platform

import data.sallyport.platform.helpers

deny contains "closed" if helpers.is_closed(input.path)
`,
  'platform/helpers.rego': `package sallyport.platform.helpers

is_closed(path) if data.platform.closed[path]
`,
};
const DATA = { platform: { closed: { admin: true } } };
const OWN = 'package sallyport.authz\n\ndecision := true\n';

async function composed(rego: Readonly<Record<string, string>>, data: Readonly<Record<string, unknown>> = {}) {
  const platform = await policyPart(PLATFORM, DATA);
  return compose({ platform, own: await policyPart({ 'namespace/authz.rego': OWN, ...rego }, data) });
}

async function refused(
  rego: Readonly<Record<string, string>>,
  data?: Readonly<Record<string, unknown>>,
): Promise<string> {
  const result = await composed(rego, data);
  assert.ok(!result.ok, 'it was composed');
  return result.error.join('\n');
}

describe("packages and rules that are not a namespace's, whatever their spelling", () => {
  const CASES: readonly (readonly [title: string, rego: string])[] = [
    ['the package itself', 'package sallyport.platform\n\ndeny := set()\n'],
    ['in brackets', 'package sallyport["platform"]\n\ndeny := set()\n'],
    ['all in brackets, with an escape', 'package sallyport["pl\\u0061tform"]\n\ndeny := set()\n'],
    ['a raw string', 'package sallyport[`platform`]\n\ndeny := set()\n'],
    ['with a comment between', 'package # x\n  sallyport.platform # y\n\ndeny := set()\n'],
    ['a package below it', 'package sallyport.platform.helpers\n\nis_closed(_) := false\n'],
    ['a new package below it', 'package sallyport.platform.more\n\nx := 1\n'],
    ['no rule at all', 'package sallyport.platform\n'],
    ['from a package above, by the head of a rule', 'package sallyport\n\nplatform.deny := set()\n'],
    ['from above, with a key that is computed', 'package sallyport\n\nplatform[x] := 1 if some x in ["deny"]\n'],
    [
      'from above, quoted in the head',
      'package sallyport\n\nx["platform"].deny := set()\n\nplatform["deny"] := set()\n',
    ],
    ['the composed package', 'package sallyport.composed\n\ndecision := true\n'],
    ['below the composed package', 'package sallyport.composed.decision\n\nx := true\n'],
    ["the platform's data, as rules", 'package platform\n\nclosed := {}\n'],
    ["below the platform's data", 'package platform.closed\n\nadmin := false\n'],
    ["the cluster's data, as rules", 'package kubernetes.segments\n\nx := 1\n'],
    ['dropping records', 'package system.log\n\ndrop := true\n'],
    ['dropping records, from above', 'package system\n\nlog.drop := true\n'],
    ['masking and dropping with one computed key', 'package system\n\nlog[x] := true if some x in ["drop"]\n'],
    ['below the rule that drops', 'package system.log.drop\n\nx := true\n'],
    ['below the rule that masks', 'package system.log.mask\n\nx := true\n'],
    ['anything else of system', 'package system.authz\n\nallow := true\n'],
    ['a name that is not plain text', 'package sallyport["a\\u0007"]\n\nx := 1\n'],
  ];
  for (const [title, rego] of CASES)
    test(title, async () => {
      assert.match(await refused({ 'namespace/x.rego': rego }), /namespace\/x\.rego/);
    });
});

test('a package called data is one below data.data, and harms nobody', async () => {
  const rego = 'package data.sallyport["platform"]\n\ndeny := set()\n';
  const policy = await loadComposed(await composed({ 'namespace/x.rego': rego }));
  assert.deepEqual(answerOf(policy, { path: 'admin' }), { allowed: false, reasons: ['closed'] });
});

test("data may not stand where the platform's, the cluster's or anybody's rules are", async () => {
  for (const key of ['sallyport', 'platform', 'kubernetes', 'system'])
    for (const value of [{ platform: { deny: [] } }, { closed: {} }, true, [], null])
      assert.match(await refused({}, { [key]: value }), new RegExp(`data\\.${key}: this part of the data`));
});

test("a document whose key is that of an object's prototype is a document", async () => {
  const own = JSON.parse('{"__proto__": {"platform": {"closed": {}}}, "constructor": 1}') as Record<string, unknown>;
  const result = await composed({}, own);
  assert.ok(result.ok);
  assert.deepEqual(result.value.data['platform'], DATA.platform);
  assert.ok(Object.hasOwn(result.value.data, '__proto__'));
});

test('what the namespace evaluates with other documents changes nothing outside of it', async () => {
  const rego = `package sallyport.authz.more

import data.sallyport.platform as mine
import data.platform as input_data

x if mine.deny == set() with mine.deny as set() with data.platform as {"closed": {}} with input as {"path": "open"}

y if count(data.sallyport.platform.deny) == 0 with data.sallyport.platform.helpers.is_closed as false

z if input_data.closed with data.platform.closed as {}
`;
  const asking = `package sallyport.authz

import data.sallyport.authz.more

decision := {"allowed": true, "reasons": [json.marshal([more.x, more.y, more.z])]}


`;
  const policy = await loadComposed(await composed({ 'namespace/x.rego': rego, 'namespace/authz.rego': asking }));
  assert.deepEqual(answerOf(policy, { path: 'admin' }), { allowed: false, reasons: ['closed'] });
  assert.equal((answerOf(policy, { path: 'open' }) as { allowed: boolean }).allowed, true);
});

test("a policy that asks the composed decision is one of OPA's recursions, and is not compiled", async () => {
  const rego = 'package sallyport.authz\n\ndecision := data.sallyport.composed.decision\n';
  await assert.rejects(loadComposed(await composed({ 'namespace/authz.rego': rego })), /recursive/);
});

test("an error of the namespace's own costs it its answer, never the platform's denial", async () => {
  const rego =
    'package sallyport.authz\n\ndecision := true if 1 / input.zero == 1\n\ndecision := false if input.both\n';
  const policy = await loadComposed(await composed({ 'namespace/authz.rego': rego }));
  assert.deepEqual(answerOf(policy, { path: 'admin', zero: 0 }), { allowed: false, reasons: ['closed'] });
  assert.equal(answerOf(policy, { path: 'open', zero: 0 }), 'undefined');
  assert.equal(answerOf(policy, { path: 'open', zero: 1, both: true }), 'failed');
  assert.deepEqual(answerOf(policy, { path: 'admin', zero: 1, both: true }), { allowed: false, reasons: ['closed'] });
});

test("masking is the namespace's own affair: what it erases is listed in each record", async () => {
  assert.ok((await composed({ 'namespace/m.rego': 'package system.log\n\nmask contains "/input/x"\n' })).ok);
});

test('all problems are told together, each with its place', async () => {
  const rego = {
    'namespace/a.rego': 'package sallyport.platform\n\nx := 1\n',
    'namespace/b.rego': 'package system.x\n\ny := 1\n',
  };
  const said = await refused(rego, { kubernetes: {} });
  for (const place of ['namespace/a.rego:', 'namespace/a.rego:3:', 'namespace/b.rego:', 'data.kubernetes:'])
    assert.ok(said.includes(place), place);
});

test('nothing of the library but what answers can be another', async () => {
  const library = await libraryPart();
  for (const name of ['segments', 'http', 'patterns', 'spiffe']) {
    const own = await policyPart({
      'namespace/authz.rego': OWN,
      'namespace/x.rego': `package sallyport.${name}\n\nx := 1\n`,
    });
    const result = compose({ platform: EMPTY_PART, library, own });
    assert.ok(!result.ok && result.error.some((each) => each.includes(`sallyport.${name} comes with`)), name);
  }
});

async function problemsOf(rego: Readonly<Record<string, string>>, data = {}): Promise<readonly string[]> {
  const part: PolicyPart = await policyPart(rego, data);
  const result = compose({ platform: part });
  return result.ok ? [] : result.error;
}

describe("the platform's own files", () => {
  test('stand in their package, below it or in system.log, and have a deny', async () => {
    assert.deepEqual(await problemsOf(PLATFORM, DATA), []);
    const log = { 'platform/log.rego': 'package system.log\n\ndrop if input.x\n\nmask contains "/input/y"\n' };
    assert.deepEqual(await problemsOf({ ...PLATFORM, ...log }, DATA), []);
    const [other] = await problemsOf({ ...PLATFORM, 'platform/x.rego': 'package authz\n\nx := 1\n' }, DATA);
    assert.match(other ?? '', /platform\/x\.rego: platform rules stand in package sallyport\.platform/);
    const [none] = await problemsOf({ 'platform/x.rego': 'package sallyport.platform\n\ndenied := set()\n' });
    assert.match(none ?? '', /no file declares data\.sallyport\.platform\.deny/);
  });

  test('have their data below data.platform', async () => {
    const [problem] = await problemsOf(PLATFORM, { fleet: {}, ...DATA });
    assert.match(problem ?? '', /data\.fleet: platform data stands below data\.platform/);
  });
});
