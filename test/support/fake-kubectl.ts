import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { writeProgram } from './own-program.ts';
import { tempFolder } from './temp-folder.ts';

import type { TestContext } from 'node:test';

/** What a scripted kubectl knows. */
export type FakeCluster = {
  /** What `get ARGS` prints, by its arguments without options of all calls, joined by a space. Text is printed as it is. What is not there fails as kubectl does. */
  readonly get: Readonly<Record<string, unknown>>;
  /** What `GET /status` answers, by `NAMESPACE/POD:PORT`; a number is a status without a body. What is not there refuses to be forwarded. */
  readonly status?: Readonly<Record<string, unknown>>;
  /** Pods, by the same name, whose port-forward says nothing for ever. */
  readonly silent?: readonly string[];
};

export interface FakeKubectl {
  /** Path of the program. */
  readonly program: string;
  /** The command lines that it was called with, in their order. */
  calls(): Promise<readonly string[]>;
  /** Process ids of all calls. */
  pids(): Promise<readonly number[]>;
  /** Most port-forwards at one moment, each from its start until it was asked. */
  mostAtOnce(): Promise<number>;
}

/** A program with kubectl's command line, and a cluster that is a value. */
export async function fakeKubectl(context: TestContext, cluster: FakeCluster): Promise<FakeKubectl> {
  const folder = await tempFolder(context);
  const log = join(folder, 'calls');
  const program = await writeProgram(folder, 'kubectl', script(cluster, log));
  const lines = async (): Promise<readonly string[]> =>
    (await readFile(log, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  return {
    program,
    calls: async () =>
      (await lines()).filter((line) => line.startsWith('call ')).map((line) => line.split(' ').slice(2).join(' ')),
    pids: async () =>
      (await lines()).filter((line) => line.startsWith('call ')).map((line) => Number(line.split(' ')[1])),
    mostAtOnce: async () => highest(await lines()),
  };
}

function highest(lines: readonly string[]): number {
  let [open, most] = [0, 0];
  for (const line of lines) {
    if (/^call \d+ .*port-forward/.test(line)) open++;
    if (line.startsWith('asked ')) open--;
    most = Math.max(most, open);
  }
  return most;
}

function script(cluster: FakeCluster, log: string): string {
  return `
const { appendFileSync } = require('node:fs');
const { createServer } = require('node:http');
const cluster = ${JSON.stringify(cluster)};
const args = process.argv.slice(2);
const say = (line) => appendFileSync(${JSON.stringify(log)}, line + '\\n');
say('call ' + process.pid + ' ' + args.join(' '));
const fail = (text) => { process.stderr.write(text + '\\n'); process.exit(1); };
const words = args.filter((arg) => !arg.startsWith('--context=') && arg !== '--output=json' && !arg.startsWith('--request-timeout='));
if (words[0] === 'get') {
  const found = cluster.get[words.slice(1).join(' ')];
  if (found === undefined) fail('Error from server (NotFound): ' + words.join(' '));
  else process.stdout.write(typeof found === 'string' ? found : JSON.stringify(found));
} else if (words[0] === 'port-forward') {
  const namespace = words.find((word) => word.startsWith('--namespace=')).slice('--namespace='.length);
  const pod = words.find((word) => word.startsWith('pod/')).slice('pod/'.length);
  const name = namespace + '/' + pod + words.at(-1);
  if ((cluster.silent ?? []).includes(name)) setInterval(() => undefined, 1000);
  else if (cluster.status?.[name] === undefined) fail('error: unable to forward port because pod is not running');
  else {
    const answer = cluster.status[name];
    const server = createServer((request, response) => {
      say('asked ' + name);
      if (typeof answer === 'number' || request.url !== '/status') response.writeHead(typeof answer === 'number' ? answer : 404).end();
      else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
    });
    server.listen(0, '127.0.0.1', () => {
      console.log('Forwarding from 127.0.0.1:' + server.address().port + ' -> ' + words.at(-1).slice(1));
    });
  }
} else fail('error: unknown command ' + words[0]);
`;
}
