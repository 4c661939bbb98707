import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { parseCrl } from '../../src/core/identity/crl.ts';
import { startAuthorityProcess } from '../support/authority-process.ts';
import { sallyport } from '../support/cli.ts';
import { callHttps } from '../support/served-authority.ts';
import { until } from '../support/until.ts';

import type { AuthorityProcess } from '../support/authority-process.ts';
import type { TrustOnWire } from '../support/served-authority.ts';

const ID = 'spiffe://example.org/agents/planner';

async function trust({ port }: AuthorityProcess): Promise<TrustOnWire & { readonly sequence?: number }> {
  return (await callHttps({ port, path: '/v1/trust' })).json as TrustOnWire;
}

/** Serials on the list of the CA that issues. */
async function listed(authority: AuthorityProcess): Promise<readonly string[]> {
  const [der = ''] = (await trust(authority)).crls;
  const crl = parseCrl(Uint8Array.fromBase64(der));
  return crl.ok ? [...crl.value.revoked.keys()] : [];
}

/** `spiffe_sequence` and number of roots of the bundle that other trust domains fetch. */
async function bundle({ port }: AuthorityProcess): Promise<readonly [sequence: number, roots: number]> {
  const { json } = await callHttps({ port, path: '/v1/bundle' });
  const { spiffe_sequence: sequence, keys } = json as { spiffe_sequence: number; keys: readonly object[] };
  return [sequence, keys.length];
}

test('what the command line issues, revokes and rotates is what the running authority says, and the log is one', async (context) => {
  const authority = await startAuthorityProcess(context);
  const ca = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
    const { code, out, err } = await sallyport(['ca', ...args, '--dir', authority.folder, '--json']);
    assert.equal(code, 0, err.join('\n'));
    return JSON.parse(out[0] ?? '') as Record<string, unknown>;
  };
  const { serial } = (await ca('issue', '--id', ID)) as { serial: string };
  assert.deepEqual(await listed(authority), []);
  await ca('revoke', '--serial', serial);
  await until('the serial on the list', async () => (await listed(authority)).includes(serial));

  assert.deepEqual(await bundle(authority), [1, 1]);
  await ca('root', 'prepare');
  await until('the next root', async () => (await bundle(authority))[1] === 2);
  assert.deepEqual(await bundle(authority), [2, 2]);
  await ca('root', 'activate');
  await ca('root', 'retire', '--force');
  await until('one root', async () => (await bundle(authority))[1] === 1);
  assert.deepEqual([await bundle(authority), (await trust(authority)).sequence], [[3, 1], 3]);

  const { serial: fresh } = (await ca('issue', '--id', ID)) as { serial: string };
  const { certificates } = (await ca('list')) as { certificates: readonly { id: string; serial: string }[] };
  const ofPlanner = certificates.filter(({ id }) => id === ID).map((one) => one.serial);
  assert.deepEqual(ofPlanner, [fresh]);
  const log = join(authority.folder, 'issuance.jsonl');
  assert.equal((await sallyport(['log', 'verify', log])).code, 0);
  assert.equal((await readFile(log, 'utf8')).split('"method":"operator"').length - 1, 2);
  const taken = await sallyport(['ca', 'init', '--dir', authority.folder, '--force']);
  assert.deepEqual([taken.code, taken.out], [3, []]);
  assert.match(taken.err.join('\n'), /is in use; end what runs on it/);
});
