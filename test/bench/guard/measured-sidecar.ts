import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

import { createAuthority } from '../../support/pki.ts';
import type { Answer, Question, Used } from './hook.ts';
import { STEADY_FLAGS } from './steady-flags.ts';
import type { Seen } from './watch.ts';

const HERE = import.meta.dirname;
const MAIN = join(HERE, '..', '..', '..', 'src', 'cli', 'main.ts');
/** In a folder of its own: a write beside certificates and policies would have them looked at again. */
const JOURNAL = 'journal/records.ndjson';

const NEWLINE = 0x0a;

/** How a peer connects. */
export type Credentials = { readonly cert: string; readonly key: string; readonly ca: string };

/** The sidecar as a user runs it, with the hook in it: policy of the bench, every decision written to a file. */
export class MeasuredSidecar {
  readonly #child: ChildProcess;
  readonly #journal: GrowingJournal;
  readonly ports: number[] = [];
  readonly client: Credentials;

  /** `upstreams`: of the listeners, in their order. */
  constructor(folder: string, upstreams: readonly string[]) {
    this.#journal = new GrowingJournal(join(folder, JOURNAL));
    this.client = prepare(folder, upstreams);
    const args = [...STEADY_FLAGS, '--import', join(HERE, 'hook.ts'), MAIN, 'run', '--config', join(folder, 'sallyport.json')]; // prettier-ignore
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  }

  /** Resolves when all listen. */
  async start(listeners: number): Promise<void> {
    const { stderr } = this.#child;
    if (stderr === null) throw new Error('no log');
    const said: string[] = [];
    const lines = createInterface({ input: stderr });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        said.push(line);
        const listening = /"inbound":(\d+).*"port":(\d+).*"msg":"listening"/.exec(line);
        if (listening !== null) this.ports[Number(listening[1])] = Number(listening[2]);
        if (Object.keys(this.ports).length === listeners) resolve();
      });
      this.#child.once('exit', () => reject(new Error(`the sidecar did not start\n${said.slice(-8).join('\n')}`)));
    });
  }

  /** From now on nothing is done by the clock alone. */
  async still(): Promise<void> {
    await this.#ask('still');
  }

  async used(): Promise<Used> {
    const { used } = await this.#ask('used');
    if (used === undefined) throw new Error('the sidecar did not say what it used');
    return used;
  }

  async watch(): Promise<void> {
    await this.#ask('watch');
  }

  async seen(): Promise<Seen> {
    const { seen } = await this.#ask('seen');
    if (seen === undefined) throw new Error('the sidecar did not say what it saw');
    return seen;
  }

  /** Waits until the journal holds so many records in all, so that no request begins while the last one is still being written. */
  async recorded(count: number): Promise<void> {
    await this.#journal.until(count);
  }

  /** Bytes of all records so far. */
  get recordBytes(): number {
    return this.#journal.bytes;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  async #ask(question: Question): Promise<Answer> {
    const answered = once(this.#child, 'message') as Promise<[Answer]>;
    this.#child.send(question);
    const [answer] = await answered;
    return answer;
  }
}

/** Counts the records in a file that another process appends to. */
class GrowingJournal {
  readonly #path: string;
  #records = 0;
  bytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async until(records: number): Promise<void> {
    for (this.#look(); this.#records < records; this.#look()) await pause(1);
  }

  #look(): void {
    const all = readFileSync(this.#path);
    for (let end = all.indexOf(NEWLINE, this.bytes); end !== -1; end = all.indexOf(NEWLINE, this.bytes)) {
      this.bytes = end + 1;
      this.#records += 1;
    }
  }
}

function prepare(folder: string, upstreams: readonly string[]): Credentials {
  const authority = createAuthority({ trustDomain: 'example.org' });
  const agent = authority.issue({ id: 'spiffe://example.org/agents/agent' });
  const client = authority.issue({ id: 'spiffe://example.org/agents/client' });
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o600 });
  write('agent.pem', agent.chainPem);
  write('agent.key', agent.keyPem);
  write('ca.pem', authority.bundlePem);
  mkdirSync(join(folder, 'journal'));
  cpSync(join(HERE, '..', 'rbac'), join(folder, 'policy'), { recursive: true });
  const identity = { certificate: 'agent.pem', privateKey: 'agent.key', trustBundles: { 'example.org': 'ca.pem' } };
  const inbound = upstreams.map((upstream) => ({ listen: '127.0.0.1:0', upstream }));
  const policy = { bundle: 'policy', decision: 'bench/authz/allow' };
  write('sallyport.json', JSON.stringify({ identity, inbound, policy, journal: [`file:${JOURNAL}`] }));
  return { cert: client.chainPem, key: client.keyPem, ca: authority.bundlePem };
}
