import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { journalName, sidecarConfig } from '../../../src/app/demo-config.ts';
import { makeIdentities } from '../../../src/app/demo-identities.ts';
import { makePolicy } from '../../../src/app/demo-policy.ts';
import { loadConfig } from '../../../src/core/config/config.ts';
import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { createTrustStore } from '../../../src/core/identity/trust-store.ts';
import { verifyPeer } from '../../../src/core/identity/verify.ts';
import { readPolicyBundle } from '../../../src/io/sources/policy-source.ts';
import { tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { TrustDomain } from '../../../src/core/kernel/brand.ts';

const EXAMPLE = join(import.meta.dirname, '../../../examples/policy');

test('the configuration of a sidecar has no mistakes, and the journal is where the demo looks for it', () => {
  for (const upstream of ['http://127.0.0.1:4000', 'h2c://127.0.0.1:4000', 'http+unix:///tmp/demo/mcp.sock']) {
    const config = loadConfig(sidecarConfig('http', upstream), {});
    assert.ok(config.ok, JSON.stringify(config));
    assert.deepEqual(config.value.journal, [{ kind: 'file', path: journalName('http') }]);
    assert.equal(config.value.inbound[0]?.listen.host, '127.0.0.1');
  }
});

test('identities: callers of our domain are trusted, the stranger is sound but of a domain of its own', async (context) => {
  const folder = await tempFolder(context);
  const callers = await makeIdentities(folder, ['http']);
  assert.deepEqual(Object.keys(callers), ['reader', 'planner', 'stranger']);
  const bundle = pemBlocks(callers.reader.ca);
  assert.ok(bundle.ok);
  const trust = createTrustStore(new Map([['example.org' as TrustDomain, bundle.value.map(({ der }) => der)]]));
  assert.ok(trust.ok);
  const verdicts = Object.values(callers).map(({ cert }) => {
    const blocks = pemBlocks(cert);
    const chain = blocks.ok ? blocks.value.map(({ der }) => der) : [];
    const peer = verifyPeer(chain, trust.value, Date.now(), { purpose: 'client', requireCrl: false });
    return peer.kind === 'rejected' ? peer.fault.code : peer.spiffeId;
  });
  assert.deepEqual(verdicts, [
    'spiffe://example.org/agents/reader',
    'spiffe://example.org/agents/planner',
    'peer_trust_domain_unknown',
  ]);
  const agent = new X509Certificate(await readFile(join(folder, 'http.pem')));
  assert.equal(agent.checkHost('localhost'), 'localhost');
});

test('identities: keys are readable by their owner only', async (context) => {
  const folder = await tempFolder(context);
  await makeIdentities(folder, ['http', 'mcp']);
  const keys = (await readdir(folder)).filter((name) => name.endsWith('.key'));
  assert.equal(keys.length, 7);
  for (const name of keys) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name);
});

test('the policy folder holds a module that answers the entrypoint, and data as it stands in the example', async (context) => {
  const folder = join(await tempFolder(context), 'policy');
  await makePolicy(EXAMPLE, folder);
  const bundle = await readPolicyBundle(folder);
  assert.ok(bundle.ok, JSON.stringify(bundle));
  assert.deepEqual(bundle.value.module?.entrypoints, ['sallyport/authz/decision']);
  assert.equal(await readFile(join(folder, 'data.json'), 'utf8'), await readFile(join(EXAMPLE, 'data.json'), 'utf8'));
});

test('Rego that does not compile is told with its place', async (context) => {
  const folder = await tempFolder(context);
  await writeFiles(folder, {
    'demo.rego': 'package sallyport.authz\n\ndecision := nothing_there\n',
    'data.json': '{}',
  });
  await assert.rejects(makePolicy(folder, join(folder, 'out')), /demo\.rego:3.*nothing_there/s);
});
