import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';

import { hasCommand } from '../support/commands.ts';
import { freePorts } from '../support/free-ports.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const EXAMPLE = join(ROOT, 'examples/two-agents');

/** The commands of its page, with this very Node in place of npx, on other ports. */
async function commandsOf(ports: Readonly<Record<string, number>>): Promise<readonly string[]> {
  const page = await readFile(join(EXAMPLE, 'README.md'), 'utf8');
  const node = `'${process.execPath}'`;
  return [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) =>
    moved(block, ports)
      .replaceAll('npx sallyport', `${node} '${join(ROOT, 'src/cli/main.ts')}'`)
      .replaceAll('npx node ../', `${node} ${join(ROOT, 'examples')}/`),
  );
}

function moved(text: string, ports: Readonly<Record<string, number>>): string {
  return Object.entries(ports).reduce(
    (now, [from, to]) => now.replaceAll(new RegExp(`\\b${from}\\b`, 'g'), String(to)),
    text,
  );
}

/** Runs a script whose children stay, in a process group of its own that ends with the test; gives what it has said so far. */
function start(context: TestContext, script: string, cwd: string): () => string {
  let said = '';
  const child = spawn('/bin/sh', ['-e', '-c', `${script}\nwait`], { cwd, detached: true });
  context.after(() => void (child.pid !== undefined && process.kill(-child.pid, 'SIGKILL')));
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return () => said;
}

test(
  'examples/two-agents: what stands there works, and a revoked planner calls nobody',
  { skip: hasCommand('curl') ? false : 'needs curl', timeout: 120_000 },
  async (context) => {
    const folder = await tempFolder(context);
    const [authority = 0, inbound = 0, outbound = 0, agent = 0] = await freePorts(4);
    const ports = { 8444: authority, 8443: inbound, 15001: outbound, 8080: agent };
    await cp(EXAMPLE, folder, { recursive: true });
    for (const name of ['planner.yaml', 'researcher.yaml'])
      await writeFile(join(folder, name), moved(await readFile(join(folder, name), 'utf8'), ports));
    await writeFile(join(folder, 'authority.yaml'), `listen: 127.0.0.1:${authority}\n`);
    const [begin = '', call = ''] = await commandsOf(ports);
    const said = start(context, begin.replace('ca serve', 'ca serve --config authority.yaml'), folder);
    await until(`both sidecars\n${said()}`, () => said().match(/"msg":"(?:outbound )?listening"/g)?.length === 2);

    const { stdout } = await run('/bin/sh', ['-e', '-c', call], { cwd: folder });
    assert.match(stdout, /Weekly report/);
    assert.equal(stdout.match(/allow/g)?.length, 2, stdout);

    const sallyport = [join(ROOT, 'src/cli/main.ts'), 'ca', 'revoke', '--id', 'spiffe://example.org/agents/planner'];
    await run(process.execPath, sallyport, { cwd: folder });
    await until('the end of its name', async () => {
      const [line = ''] = call.split('\n');
      const again = await run('/bin/sh', ['-c', `${line} --write-out '\n%{http_code}'`], { cwd: folder });
      return again.stdout.endsWith('\n503');
    });
  },
);
