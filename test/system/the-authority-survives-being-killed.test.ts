import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { parseCrl } from '../../src/core/identity/crl.ts';
import { verifyLogFiles } from '../../src/cli/verify-log-files.ts';
import { openAuthorityStore } from '../../src/io/authority/authority-store.ts';
import { initAuthority } from '../../src/io/authority/ca-setup.ts';
import { plainKeyFiles } from '../../src/io/authority/key-files.ts';
import { createIssuingAuthority } from '../../src/io/authority/running-authority.ts';
import { DAY, NO_LIMITS, valueOf } from '../support/authority-world.ts';
import { crlNumber } from '../support/crl-number.ts';
import { systemClock, systemRandom } from '../support/system-clock.ts';
import { tempFolder } from '../support/temp-folder.ts';

import type { TestContext } from 'node:test';
import type { SpiffeId, TrustDomain } from '../../src/core/kernel/brand.ts';

const LIVES = 50;
const PROGRAM = join(import.meta.dirname, '..', 'support', 'programs', 'authority-loop.ts');
const SETTINGS = {
  trustDomain: 'example.org' as TrustDomain,
  ownId: 'spiffe://example.org/sallyport/authority' as SpiffeId,
  kubernetes: undefined,
  workloads: [],
};

/** What one life acknowledged, in order, until it was killed: while it started, or at a random moment of its work. */
async function oneLife(folder: string, killedAtStart: boolean): Promise<readonly string[]> {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') };
  const child = spawn(process.execPath, [PROGRAM, folder], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const gone = once(child, 'close');
  const kill = (withinMs: number): unknown => setTimeout(() => child.kill('SIGKILL'), randomInt(withinMs));
  // The first thing that a life says is its list.
  const lines = 2 + randomInt(8);
  let said = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (said.split('\n').length > lines) kill(10);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  if (killedAtStart) kill(250);
  const [code, signal] = await gone;
  assert.deepEqual([code, signal], [null, 'SIGKILL'], complaints);
  // What follows the last line end was cut off while it was said.
  return said.split('\n').slice(0, -1);
}

/** What `LIVES` lives over one folder acknowledged. */
async function allLives(folder: string): Promise<readonly string[]> {
  const said: string[] = [];
  // oxlint-disable-next-line no-await-in-loop -- one life after the other
  for (let life = 0; life < LIVES; life += 1) said.push(...(await oneLife(folder, life % 5 === 4)));
  return said;
}

/** What follows a word in what was said. */
function acknowledged(said: readonly string[], what: string): readonly string[] {
  return said.filter((line) => line.startsWith(`${what} `)).map((line) => line.slice(what.length + 1));
}

// Two authorities at once, 100 lives in all, so that both processors of a small machine have something to do.
describe('an authority that is killed 50 times', { concurrency: 2 }, () => {
  for (const name of ['one', 'another']) {
    test(`${name}: no serial is used twice, nothing is forgotten, the log verifies`, judge);
  }
});

async function judge(context: TestContext): Promise<void> {
  const folder = join(await tempFolder(context), 'ca');
  const store = openAuthorityStore(folder, { busyMs: 5_000 });
  context.after(() => store.close());
  const deps = { clock: systemClock, random: systemRandom, openKey: plainKeyFiles(folder) };
  const root = { keyKind: 'p256', ttlMs: 30 * DAY } as const;
  const issuing = { ttlMs: 10 * DAY, key: { kind: 'new', keyKind: 'p256' } } as const;
  valueOf(await initAuthority(store, { trustDomain: 'example.org', root, issuing }, deps));

  const said = await allLives(folder);
  const issued = acknowledged(said, 'issued');
  const revoked = acknowledged(said, 'revoked');
  const numbers = acknowledged(said, 'list').map(Number);
  context.diagnostic(`${LIVES} lives: ${issued.length} issued, ${revoked.length} revoked, ${numbers.length} lists`);
  assert.ok(issued.length > LIVES && revoked.length > LIVES / 2, 'the lives were too short to show anything');
  assert.equal(new Set(issued).size, issued.length, 'a serial was given out twice');

  const rows = valueOf(store.read((database) => database.prepare('SELECT serial FROM certificates').all()));
  const stored = new Set(rows.map((row) => String(row['serial'])));
  assert.deepEqual(
    issued.filter((serial) => !stored.has(serial)),
    [],
    'certificates were forgotten',
  );

  const last = createIssuingAuthority(
    { ...SETTINGS, folder },
    { ...deps, limits: NO_LIMITS, timer: () => () => undefined },
  );
  context.after(() => last.stop());
  await last.start();
  const [der = new Uint8Array()] = last.trust().crls;
  const list = valueOf(parseCrl(der));
  assert.deepEqual(
    revoked.filter((serial) => !list.revoked.has(serial)),
    [],
    'revocations were forgotten',
  );
  assert.deepEqual(
    revoked.filter((serial) => last.isGood(serial)),
    [],
    'revoked certificates are good',
  );
  numbers.push(crlNumber(der));
  assert.ok(
    numbers.every((number, at) => at === 0 || number > (numbers[at - 1] ?? 0)),
    'a list had no greater number',
  );

  const log = join(folder, 'issuance.jsonl');
  const verdict = await verifyLogFiles([log]);
  assert.equal(verdict.kind, 'sound', JSON.stringify(verdict));
  const records = (await readFile(log, 'utf8')).split('\n').filter((line) => line.startsWith('{"event":"issued"'));
  const recorded = records.map((line) => (JSON.parse(line) as { sallyport: { serial: string } }).sallyport.serial);
  assert.equal(new Set(recorded).size, recorded.length, 'a certificate has two records');
  const own = last.own().svid.serial;
  assert.deepEqual([...new Set(recorded)].toSorted(), [...stored, own].toSorted(), 'log and store do not agree');
}
