import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createCsr } from '../../src/core/issuance/create-csr.ts';
import { startAuthorityProcess, type AuthorityProcess } from '../support/authority-process.ts';
import { createKeyPair } from '../support/pki-keys.ts';
import { postSvid } from '../support/served-authority.ts';
import { until } from '../support/until.ts';

/** What `limits.perId` lets through at once, however few a minute it is: replicas of one workload start together. */
const BURST_OF_ID = 60;

/** Asks with a fresh token; the status, and the time to wait where there is one. */
async function enrol(authority: AuthorityProcess, csr: string, id: string): Promise<readonly [number, boolean]> {
  const { status, headers } = await postSvid(authority.port, { csr, method: 'join-token', token: authority.token(id) });
  return [status, headers['retry-after'] !== undefined];
}

async function newCsr(): Promise<string> {
  return (await createCsr(createKeyPair('p256').privateKey)).toBase64();
}

/** So many lines of the issuance log about callers that have this in them: it is written a moment after the answer, and no more come then. */
async function logged(authority: AuthorityProcess, text: string, count: number): Promise<readonly string[]> {
  const find = async (): Promise<readonly string[]> => {
    const lines = (await authority.issuanceLog()).split('\n');
    return lines.filter((line) => line.includes(text) && !line.includes('"own"'));
  };
  await until(`${count} lines with ${text}`, async () => (await find()).length >= count);
  const found = await find();
  assert.equal(found.length, count);
  return found;
}

test('limits.perSource: who asks too often from one address is told to wait, whatever the ID', async (context) => {
  const authority = await startAuthorityProcess(context, { config: { limits: { perSource: 1, perId: 1_000 } } });
  const csr = await newCsr();
  const all = Array.from({ length: 20 }, (_, n) => enrol(authority, csr, `spiffe://example.org/agent-${n}`));
  const answers = await Promise.all(all);
  const served = answers.filter(([status]) => status === 200);
  // Four at once, and one more for each second that it takes.
  assert.ok(served.length >= 4 && served.length < answers.length, `${served.length} were served`);
  const limited = answers.filter(([status]) => status !== 200);
  assert.deepEqual(new Set(limited.map(([status, isTold]) => `${status} ${isTold}`)), new Set(['429 true']));
  const lines = await logged(authority, '"event":"issued"', served.length);
  assert.ok(lines.every((line) => line.includes('"join-token"')));
});

test('limits.perId: one ID too often is 429 with a record that names it; another ID is served', async (context) => {
  const authority = await startAuthorityProcess(context, { config: { limits: { perSource: 1_000, perId: 1 } } });
  const csr = await newCsr();
  const id = 'spiffe://example.org/greedy';
  const answers: number[] = [];
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (let n = 0; n <= BURST_OF_ID; n += 1) answers.push((await enrol(authority, csr, id))[0]);
  assert.deepEqual(new Set(answers.slice(0, BURST_OF_ID)), new Set([200]));
  assert.equal(answers[BURST_OF_ID], 429);
  assert.deepEqual(await enrol(authority, csr, 'spiffe://example.org/modest'), [200, false]);
  const [refused = ''] = await logged(authority, 'rate_limited', 1);
  assert.match(refused, /spiffe:\/\/example\.org\/greedy/);
});
