import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';

import { createRegoCompiler } from '../../../src/io/rego/compiler.ts';

import type { CheckRequest } from '../../../src/io/rego/check.ts';
import type { Diagnostic } from '../../../src/io/rego/diagnostic.ts';
import type { SourceFiles } from '../../../src/io/rego/source-files.ts';

const compiler = createRegoCompiler();
after(() => compiler.stop());

const root = new URL('../../../', import.meta.url);
const inputSchema: unknown = JSON.parse(await readFile(new URL('policies/schemas/input.json', root), 'utf8'));

function checked(files: SourceFiles, more: Partial<CheckRequest> = {}): Promise<readonly Diagnostic[]> {
  return compiler.check({ files, inputSchema, ...more });
}

/** Code, file, row and column of what is found: enough to say which place is meant. */
async function places(files: SourceFiles, more?: Partial<CheckRequest>): Promise<readonly string[]> {
  return (await checked(files, more)).map((each) => [each.code, each.file, each.row, each.col].join(':'));
}

function rule(expression: string): SourceFiles {
  return { 'p.rego': `package a\n\nallow if {\n\t${expression}\n}\n` };
}

test('the demo’s policy is sound', async () => {
  const [policy, data] = await Promise.all(
    ['demo.rego', 'data.json'].map((name) => readFile(new URL(`examples/policy/${name}`, root), 'utf8')),
  );
  assert.deepEqual(await checked({ 'demo.rego': policy ?? '', 'data.json': data ?? '' }), []);
});

test('an OPA-Envoy policy is sound: headers by any name, any body, segments by index', async () => {
  for (const expression of [
    'input.attributes.request.http.headers["x-any"] == "1"',
    'input.attributes.request.http.headers.authorization',
    'some name, value in input.attributes.request.http.headers; startswith(name, value)',
    '[_, token] := split(input.attributes.request.http.headers.authorization, " "); token',
    'input.parsed_body.a.b[0].c > 1',
    'input.parsed_body[3] == "x"',
    'input.parsed_path[0] == "people"',
    'input.parsed_path = ["people", name]; name',
    'input.parsed_query.lang[0] == "en"',
    'input.attributes.metadataContext.filterMetadata.anything.at.all',
    'input.attributes.contextExtensions.route == "x"',
    'input.attributes.source.address.socketAddress.address == "10.0.0.1"',
    'input.sallyport.peer.spiffe_id == input.attributes.source.principal',
    'input.version.encoding == "protojson"',
    'not input.truncated_body',
  ]) {
    assert.deepEqual(await checked(rule(expression)), [], expression);
  }
});

test('a field that the input does not have is found with its place and the fields that there are', async () => {
  assert.deepEqual(await checked(rule('input.atributes.request.http.method == "GET"')), [
    {
      code: 'rego_type_error',
      message: 'undefined ref: input.atributes.request.http.method',
      details: [
        'input.atributes.request.http.method',
        '      ^',
        '      have: "atributes"',
        '      want (one of): ["attributes" "parsed_body" "parsed_path" "parsed_query" "sallyport" "source_principal" "truncated_body" "version"]',
      ],
      file: 'p.rego',
      row: 4,
      col: 2,
      line: '\tinput.atributes.request.http.method == "GET"',
    },
  ]);
});

test('typos are found at every depth and through variables', async () => {
  for (const [expression, wrong, wanted] of [
    ['input["atributes"]', 'atributes', 'attributes'],
    ['input.attributes.requst.http', 'requst', 'request'],
    ['input.attributes.request.http.hedaers.x', 'hedaers', 'headers'],
    ['input.attributes.source.address.socketAddress.adress', 'adress', 'address'],
    ['input.sallyport.peer.spiffeid', 'spiffeid', 'spiffe_id'],
    ['input.sallyport.peer.certificate.sha', 'sha', 'sha256'],
    ['x := input.sallyport; y := x.per; y', 'per', 'peer'],
  ] as const) {
    const [found, ...more] = await checked(rule(expression));
    assert.deepEqual([found?.code, found?.file, found?.row, more], ['rego_type_error', 'p.rego', 4, []], expression);
    const details = found?.details?.join('\n') ?? '';
    assert.ok(details.includes(`have: "${wrong}"`) && details.includes(`"${wanted}"`), details);
  }
});

test('comparing a field with a value of another type is found', async () => {
  assert.deepEqual(await places(rule('input.attributes.request.http.method == 1')), ['rego_type_error:p.rego:4:2']);
});

test('without a schema any input is taken', async () => {
  assert.deepEqual(await checked(rule('input.atributes.x'), { inputSchema: undefined }), []);
});

test('a policy under system.log has another input: a decision-log event', async () => {
  const masks = 'mask contains "/input/x" if input.input.attributes.foo\n';
  const files = {
    'log.rego': `package system.log\n\n${masks}`,
    'deeper.rego': `package system.log.deeper\n\n${masks}`,
    'other.rego': `package system.logs\n\n${masks}`,
  };
  assert.deepEqual(await places(files), ['rego_type_error:other.rego:3:29']);
});

test('a subpackages annotation of system.log that is there already stays the only one', async () => {
  const annotation = '# METADATA\n# scope: subpackages\n# schemas:\n# - input: {type: object, properties: {k: {}}}\n';
  const files = { 'log.rego': `${annotation}package system.log\n\nmask contains "/input/x" if input.j\n` };
  assert.deepEqual(await places(files), ['rego_type_error:log.rego:7:29']);
});

test('a schema annotation of a module comes before the schema of the request', async () => {
  const annotation = '# METADATA\n# schemas:\n# - input: {type: object, properties: {foo: {type: string}}}\n';
  const files = { 'p.rego': `${annotation}package a\n\nallow if input.foo == "x"\n\ndeny if input.fooo == "x"\n` };
  assert.deepEqual(await places(files), ['rego_type_error:p.rego:8:9']);
});

test('an annotation can name the schema of the request', async () => {
  const annotation = '# METADATA\n# schemas:\n# - input: schema.input\n';
  const files = { 'p.rego': `${annotation}package a\n\nallow if input.atributes\n` };
  assert.deepEqual(await places(files), ['rego_type_error:p.rego:6:10']);
});

const policy = { 'p.rego': 'package a\n\nallow if input.attributes.request.http.method == "GET"\n' };

test('tests that replace the input, or parts of it, by partial documents are sound', async () => {
  for (const replaced of [
    'input as {}',
    'input as {"attributes": {"request": {"http": {"method": "GET"}}}}',
    'input as {"not": {"of": "the schema"}}',
    'input as "text"',
    'input as request',
    'input.attributes as {"request": {"http": {"method": "GET"}}}',
    'input.attributes.request.http.method as "GET"',
    'input.attributes.request as {"http": {"method": "GET"}, "more": 1}',
  ]) {
    const head = 'package a_test\n\nimport data.a\n\nrequest := {"attributes": {}}\n';
    const files = { ...policy, 'p_test.rego': `${head}\ntest_x if a.allow with ${replaced}\n` };
    assert.deepEqual(await checked(files), [], replaced);
  }
});

test('test files are checked too', async () => {
  const files = { ...policy, 'p_test.rego': 'package a_test\n\ntest_x if data.a.allow with inptu as {}\n' };
  assert.deepEqual(await places(files), ['rego_type_error:p_test.rego:3:29']);
});

test('strict mode finds what is unused or shadowed, and can be turned off', async () => {
  const files = { 'p.rego': 'package a\n\nimport data.b\n\nf(x) if { y := 1 }\n' };
  const found = await checked(files);
  assert.deepEqual(
    found.map((each) => [each.code, each.message, each.row, each.col]),
    [
      ['rego_compile_error', 'import data.b unused', 3, 1],
      ['rego_compile_error', 'unused argument x. (hint: use _ (wildcard variable) instead)', 5, 1],
      ['rego_compile_error', 'assigned var y unused', 5, 11],
    ],
  );
  assert.deepEqual(await checked(files, { strict: false }), []);
});

test('more errors than OPA shows by default are all there', async () => {
  const rules = Array.from({ length: 30 }, (_, at) => `r${at} if input.wrong${at}\n`);
  assert.equal((await checked({ 'p.rego': `package a\n\n${rules.join('')}` })).length, 30);
});

test('every file that does not parse is reported', async () => {
  const files = {
    'a.rego': 'pakcage a\n',
    'b/b.rego': 'package b\n\nx := \n',
    'c_test.rego': 'package c_test\n\ntest_x if {\n',
    'data.json': '{',
    'empty.rego': '',
    'latin1.rego': new Uint8Array([...new TextEncoder().encode('package d\n\nx := "'), 0xe9, 0x22]),
  };
  const found = await checked(files);
  assert.deepEqual(new Set(found.map((each) => each.file)), new Set(Object.keys(files)));
});

test('a rule at a path that data has is found', async () => {
  const files = { 'p.rego': 'package a\n\nb := 1\n', 'data.json': '{"a": {"b": 2}}' };
  const [found] = await checked(files);
  assert.deepEqual([found?.message, found?.row], ['conflicting rule for data path a/b found', 3]);
});

for (const [name, call] of [
  ['http.send', 'http.send({"method": "get", "url": "http://x"}).body'],
  ['net.lookup_ip_addr', 'net.lookup_ip_addr("x")'],
  ['opa.runtime', 'opa.runtime().env.HOME'],
  ['rego.parse_module', 'rego.parse_module("p.rego", "package p").rules'],
] as const) {
  test(`${name} is refused in a policy by name with its place, and can be replaced in a test`, async () => {
    const [found, ...more] = await checked(rule(call));
    assert.deepEqual(
      [found?.code, found?.row, found?.col, more, found?.message.startsWith(`${name} is refused: `)],
      ['rego_refused_builtin', 4, 2, [], true],
    );
    const test = `package a_test\n\nmock(_) := {}\n\nmock0 := {}\n\nmock2(_, _) := {}\n\ntest_x if ${call} with ${name} as `;
    const mock = name === 'opa.runtime' ? 'mock0' : name === 'rego.parse_module' ? 'mock2' : 'mock';
    assert.deepEqual(await checked({ ...policy, 'p_test.rego': `${test}${mock}\n` }), []);
  });
}

test('a refused call and other errors are all found, beside a test that replaces the call', async () => {
  const files = {
    'p.rego': 'package a\n\nallow if http.send({}).x\n\nb if count(1) == 1\n',
    'p_test.rego':
      'package a_test\n\nmock(_) := {}\n\ntest_x if data.a.allow with http.send as mock\n\nc if count(2) == 1\n',
  };
  assert.deepEqual(await places(files), [
    'rego_refused_builtin:p.rego:3:10',
    'rego_type_error:p.rego:5:6',
    'rego_type_error:p_test.rego:7:6',
  ]);
});

test('version 0 of the language is checked when asked for', async () => {
  const files = { 'p.rego': 'package a\n\nallow { input.atributes }\n' };
  assert.deepEqual(await places(files, { regoVersion: 0 }), ['rego_type_error:p.rego:3:9']);
  assert.deepEqual((await checked(files))[0]?.code, 'rego_parse_error');
});

test('a schema that is none is a diagnostic', async () => {
  for (const wrong of [{ type: 'no such type' }, { properties: 3 }]) {
    const [found] = await checked(rule('input.x'), { inputSchema: wrong });
    assert.equal(found?.code, 'rego_type_error', JSON.stringify(found));
  }
});

test('a schema elsewhere is not fetched', async () => {
  const [found] = await checked(rule('input.x'), { inputSchema: { $ref: 'https://localhost/schema.json' } });
  assert.match(found?.message ?? '', /^unable to compile the schema: remote reference loading disabled/);
});

test('nothing to check is sound', async () => {
  assert.deepEqual(await checked({}), []);
  assert.deepEqual(await checked({ 'data.json': '{"a": 1}' }), []);
});

test('a policy of thousands of rules is checked whole', async () => {
  const rules = Array.from({ length: 3000 }, (_, at) => `r${at} if input.parsed_path[0] == "${at}"\n`);
  assert.deepEqual(
    await checked({ 'p.rego': `package a\n\n${rules.join('')}last if input.wrong\n` }).then(lastRow),
    3003,
  );
});

function lastRow(found: readonly Diagnostic[]): number | undefined {
  return found.at(-1)?.row;
}

test('nesting that ends the compiler is a diagnostic, and the next call is served', async () => {
  const files = { 'p.rego': `package a\n\nx := ${'['.repeat(100_000)}${']'.repeat(100_000)}\n` };
  assert.deepEqual(
    (await checked(files)).map((each) => each.code),
    ['rego_compiler_failed'],
  );
  assert.deepEqual(await checked(policy), []);
});
