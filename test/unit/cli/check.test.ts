import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { sallyport } from '../../support/cli.ts';
import { compileRego } from '../../support/rego.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { TestContext } from 'node:test';

/** A folder with everything that its sallyport.yaml names; the policy is compiled already. */
async function world(context: TestContext): Promise<string> {
  const folder = await tempFolder(context);
  const certs = join(folder, 'certs');
  await sallyport(['ca', 'init', '--dir', certs]);
  await sallyport(['ca', 'issue', '--dir', certs, '--id', 'spiffe://example.org/agent']);
  const source = 'package sallyport.authz\n\ndecision := input.attributes.request.http.method == "GET"\n';
  const { policyWasm, plan } = await compileRego({ source, entrypoints: ['sallyport/authz/decision'] });
  await writeFiles(folder, {
    'policies/policy.wasm': policyWasm,
    'policies/plan.json': JSON.stringify(plan),
    'sallyport.yaml': [
      'identity: {certificate: certs/agent.pem, privateKey: certs/agent.key, trustBundles: {example.org: certs/example.org.pem}}',
      'inbound: [{listen: "127.0.0.1:0", upstream: "http://127.0.0.1:1"}]',
      'policy: {bundle: policies, mode: "${MODE}"}',
    ].join('\n'),
  });
  return folder;
}

const ENV = { MODE: 'enforce' };

test('check: a good configuration is exit 0, and says who we are and what decides', async (context) => {
  const file = join(await world(context), 'sallyport.yaml');
  const { code, out, err } = await sallyport(['check', '--config', file], ENV);
  assert.deepEqual([code, err], [0, []]);
  assert.match(
    out.join('\n'),
    /^identity spiffe:\/\/example\.org\/agent, valid until .*\npolicy .*decision sallyport\/authz\/decision\n.*: good$/,
  );
  const json = JSON.parse((await sallyport(['check', '--config', file, '--json'], ENV)).out[0] ?? '') as {
    ok: boolean;
  };
  assert.equal(json.ok, true);
});

test('check: mistakes in the file are all listed, exit 2', async (context) => {
  const file = join(await world(context), 'sallyport.yaml');
  const { code, out, err } = await sallyport(['check', '--config', file]);
  assert.deepEqual([code, out], [2, []]);
  assert.deepEqual(err, [
    `${file}:3:28: policy.mode: expected the environment variable MODE to be set, found \${MODE}`,
    `sallyport: 1 mistake in ${file}`,
  ]);
  const json = JSON.parse((await sallyport(['check', '--config', file, '--json'])).out[0] ?? '') as Record<
    string,
    unknown
  >;
  assert.deepEqual([json['ok'], json['kind']], [false, 'mistakes']);
});

test('check: what the file names is checked as well, problems of all sources together, exit 2', async (context) => {
  const folder = await world(context);
  await writeFiles(folder, { 'certs/agent.pem': 'none', 'policies/policy.wasm': 'none' });
  const { code, err } = await sallyport(['check', '--config', join(folder, 'sallyport.yaml')], ENV);
  assert.equal(code, 2);
  assert.match(err.join('\n'), /agent\.pem: holds no PEM block[^]*policy\.wasm is not a usable policy module/);
  const alone = await sallyport(['check', '--config', join(folder, 'sallyport.yaml'), '--config-only'], ENV);
  assert.equal(alone.code, 0);
});

test('check: a file that is not there is exit 3', async (context) => {
  const file = join(await tempFolder(context), 'none.yaml');
  assert.deepEqual(await sallyport(['check', '--config', file]), {
    code: 3,
    out: [],
    err: [`sallyport: ${file}: there is no such file`],
  });
});

test('check --schema and --reference need no configuration', async () => {
  const schema = JSON.parse((await sallyport(['check', '--schema'])).out.join('\n')) as { properties: object };
  assert.ok('inbound' in schema.properties);
  assert.match(
    (await sallyport(['check', '--reference'])).out.join('\n'),
    /^\| key \| value \| default \| meaning \|\n/,
  );
});

test('check: a mistake in Rego is shown with its line and mark, line by line', async (context) => {
  const folder = await world(context);
  const file = join(folder, 'rego.yaml');
  await writeFiles(folder, {
    'rego.yaml': [
      'identity: {certificate: certs/agent.pem, privateKey: certs/agent.key, trustBundles: {example.org: certs/example.org.pem}}',
      'inbound: [{listen: "127.0.0.1:0", upstream: "http://127.0.0.1:1"}]',
      'policy: {bundle: rego}',
    ].join('\n'),
    'rego/a.rego': 'package sallyport.authz\n\ndecision if }\n',
  });
  const { code, err } = await sallyport(['check', '--config', file]);
  assert.equal(code, 2);
  assert.match(err.join('\n'), /a\.rego:3:13: rego_parse_error: .*\n +3 \| decision if \}\n +\| {13}\^/);
});

test('check: a destination that nobody can prove to be is a warning', async (context) => {
  const folder = await world(context);
  const file = join(folder, 'sallyport.yaml');
  const outbound = [
    'outbound:',
    '  - listen: 127.0.0.1:0',
    '    destinations:',
    "      a.internal: {address: 'a:1', id: spiffe://example.org/a}",
    "      b.internal: {address: 'b:1', id: spiffe://partner.example/b}",
  ];
  await appendFile(file, `\n${outbound.join('\n')}\n`);
  const { code, err } = await sallyport(['check', '--config', file], ENV);
  assert.equal(code, 0);
  assert.equal(err.length, 1);
  assert.match(err[0] ?? '', /nobody can prove to be b\.internal: there is no trust bundle of partner\.example/);
});
