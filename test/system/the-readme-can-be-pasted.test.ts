import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';

import { loadAuthorityConfig } from '../../src/core/config/authority-config.ts';
import { loadConfig } from '../../src/core/config/config.ts';
import { freePorts } from '../support/free-ports.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const README = await readFile(join(ROOT, 'README.md'), 'utf8');

/** The commands below a heading, block by block, with this very Node in place of npx. */
function commandsBelow(heading: string): readonly string[] {
  const [, section = ''] = README.split(`\n## ${heading}\n`);
  const [own = ''] = section.split('\n## ');
  const sallyport = `'${process.execPath}' '${join(ROOT, 'src/cli/main.ts')}'`;
  return [...own.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block.replaceAll('npx sallyport', sallyport));
}

/** Runs a program until the test ends; gives what it has said so far. */
function start(context: TestContext, program: string, args: readonly string[], cwd: string): () => string {
  let said = '';
  const child: ChildProcess = spawn(program, [...args], { cwd });
  context.after(() => child.kill('SIGKILL'));
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return () => said;
}

const portIn = (text: string, pattern: RegExp): number | undefined => Number(pattern.exec(text)?.[1]) || undefined;

test('README: a policy is made, tested, checked, built and inspected by what stands there', async (context) => {
  const folder = await tempFolder(context);
  const [commands = ''] = commandsBelow('Write a policy');
  const { stdout } = await run('/bin/sh', ['-e', '-c', commands], { cwd: folder });
  for (const said of [
    /^\d+ passed; .* in both evaluators$/m,
    /^\d+ files of Rego: good$/m,
    /^demo\.tar\.gz: revision /m,
    /^decision +sallyport\/authz\/decision: /m,
  ]) {
    assert.match(stdout, said);
  }
});

test('README: an agent is wrapped, called and refused by what stands there, on other ports', async (context) => {
  const folder = await tempFolder(context);
  const [wrap = '', call = ''] = commandsBelow('Wrap your own agent');
  assert.ok(wrap.split('\n').length + call.split('\n').length - 2 < 20, 'under 20 lines');

  const agent = start(context, process.execPath, [join(ROOT, 'examples/http-agent/server.ts')], folder);
  const upstream = await until('the agent', () => portIn(agent(), /"listening":(\d+)/));
  // `exec`: the shell becomes the sidecar, so that the test ends it.
  const script = wrap
    .replace('0.0.0.0:8443', '127.0.0.1:0')
    .replace('127.0.0.1:8080', `127.0.0.1:${upstream}`)
    .replace(/^(.* run --config)/m, 'exec $1');
  const sidecar = start(context, '/bin/sh', ['-e', '-c', script], folder);
  const port = await until(`the sidecar: ${sidecar()}`, () => portIn(sidecar(), /"port":(\d+),"msg":"listening"/));

  const mine = join(folder, 'mine');
  const curl = async (more: string): Promise<string> => {
    const line = `${call.trim().replace('8443', String(port))} --silent --write-out '\\n%{http_code}' ${more}`;
    return (await run('/bin/sh', ['-c', line], { cwd: mine })).stdout;
  };
  if (await exists('curl')) {
    assert.match(await curl(''), /Weekly report.*\n200$/);
    assert.match(await curl('-X DELETE'), /"decision_id".*\n403$/);
    if (await exists('sha256sum')) await readsTheLog(mine);
  }
});

test('README: an agent gets its identity by what stands there, on other ports', async (context) => {
  const folder = await tempFolder(context);
  const [commands = ''] = commandsBelow('Give your agents identities');
  assert.ok(commands.trim().split('\n').length < 15, 'under 15 lines');
  const [port = 0] = await freePorts(1);
  await mkdir(join(folder, 'policy'));
  await writeFile(join(folder, 'policy/p.rego'), 'package sallyport.authz\n\ndefault decision := false\n');
  await writeFile(join(folder, 'authority.yaml'), `listen: 127.0.0.1:${port}\n`);
  const script = commands
    .replace('ca serve &', 'ca serve --config authority.yaml & echo "authority: $!"')
    .replace('127.0.0.1:8444"', `127.0.0.1:${port}"`)
    .replace('0.0.0.0:8443', '127.0.0.1:0')
    .replace(/^(.* run --config)/m, 'exec $1');
  const said = start(context, '/bin/sh', ['-e', '-c', script], folder);
  context.after(() => {
    const authority = Number(/^authority: (\d+)$/m.exec(said())?.[1]);
    if (authority > 0) process.kill(authority, 'SIGKILL');
  });
  await until('the identity', () => said().includes('"spiffe_id":"spiffe://example.org/agents/mine"'));
  await until('the listener', () => portIn(said(), /"port":(\d+),"msg":"listening"/));
});

test('README: what the authority and a sidecar are told in Kubernetes is what they understand', () => {
  const [, section = ''] = README.split('\n## Give your agents identities\n');
  const [, block = ''] = /```yaml\n(.*?)```/s.exec(section) ?? [];
  const [authority = '', sidecar = ''] = block.split('# in the sidecar');
  const config = loadAuthorityConfig(authority, {});
  assert.ok(config.ok, JSON.stringify(config));
  assert.equal(config.value.kubernetes?.audience, 'sallyport');
  const keys = sidecar.split('\n').slice(1).join('\n    ');
  const identity = `identity:\n  source: authority\n  authority:\n    url: https://ca\n    id: spiffe://example.org/ca\n    trustBundle: r.pem\n    ${keys}`;
  const rest = "\ninbound: [{listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:1'}]\npolicy: {bundle: p}\n";
  const read = loadConfig(identity + rest, {});
  assert.ok(read.ok, JSON.stringify(read));
});

test('README: the federation that stands there is understood, and so is the Workload API that an authority serves', () => {
  const [, section = ''] = README.split('\n## Give your agents identities\n');
  const [own = ''] = section.split('\n## ');
  const block = [...own.matchAll(/```yaml\n(.*?)```/gs)]
    .map(([, text = '']) => text)
    .find((text) => text.includes('federation:'));
  const rest =
    "  certificate: c\n  privateKey: k\n  trustBundles: {example.org: t}\ninbound: [{listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:1'}]\npolicy: {bundle: p}\n";
  const read = loadConfig(`${block ?? ''}${rest}`, {});
  assert.ok(read.ok, JSON.stringify(read));
  assert.equal(read.value.identity.federation['partner.example']?.profile, 'https_spiffe');
  const [, served = ''] = /`(workloadApi: \{socket.*?)`/.exec(own) ?? [];
  const authority = loadAuthorityConfig(served, {});
  assert.ok(authority.ok, JSON.stringify(authority));
  assert.equal(authority.value.workloadApi?.identities.length, 1);
});

test('README: the outbound listener that stands there is one', () => {
  const [, section = ''] = README.split("\n## Guard the agent's own calls\n");
  const [, block = ''] = /```yaml\n(.*?)```/s.exec(section) ?? [];
  const rest =
    "identity: {certificate: c, privateKey: k, trustBundles: {example.org: t}}\ninbound: [{listen: '127.0.0.1:0', upstream: 'http://127.0.0.1:1'}]\npolicy: {bundle: p}\n";
  const read = loadConfig(block + rest, {});
  assert.ok(read.ok, JSON.stringify(read));
  assert.equal(read.value.outbound.length, 1);
});

/** The commands below "Decision records": show, verify, and the hash by hand. */
async function readsTheLog(mine: string): Promise<void> {
  const [commands = ''] = commandsBelow('Decision records');
  const journal = join(mine, 'decisions.ndjson');
  await until('both records', async () => (await readFile(journal, 'utf8')).split('\n').length === 3);
  const { stdout } = await run('/bin/sh', ['-e', '-c', commands], { cwd: mine });
  const lines = stdout.trimEnd().split('\n');
  assert.match(lines[0] ?? '', /deny +403 .*agents\/friend DELETE \/reports\/weekly policy_denied/);
  assert.match(lines[1] ?? '', /^sound: 2 records$/);
  const hash = (await readFile(journal, 'utf8')).trimEnd().slice(-67, -3);
  assert.match(lines.at(-1) ?? '', new RegExp(`^${hash} `));
}

async function exists(program: string): Promise<boolean> {
  return run(program, ['--version']).then(
    () => true,
    () => false,
  );
}
