import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';

import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { generateKeyPair } from '../../../src/core/issuance/signing-key.ts';
import { openAuthorityStore } from '../../../src/io/authority/authority-store.ts';
import { revoke } from '../../../src/io/authority/revoking.ts';
import { createIssuingAuthority } from '../../../src/io/authority/running-authority.ts';
import { crlNumber } from '../crl-number.ts';
import { systemClock, systemRandom } from '../system-clock.ts';

import type { SpiffeId, TrustDomain } from '../../../src/core/kernel/brand.ts';

/*
 * An authority that issues and revokes without end, and says on stdout what it has acknowledged, so that it can be killed at any moment:
 * `issued SERIAL`, `revoked SERIAL`, `list NUMBER`. Every third certificate is revoked, through a store of its own as the command line does.
 */
const [folder = ''] = process.argv.slice(2);
const id = (number: number): SpiffeId => `spiffe://example.org/workload/${number}` as SpiffeId;
const workloads = Array.from({ length: 8 }, (_, number) => id(number));

function say(text: string): void {
  // Synchronous: what was said is out, whatever happens next.
  writeSync(1, `${text}\n`);
}

const store = openAuthorityStore(folder, { busyMs: 5_000 });
const authority = createIssuingAuthority(
  {
    folder,
    trustDomain: 'example.org' as TrustDomain,
    ownId: 'spiffe://example.org/sallyport/authority' as SpiffeId,
    kubernetes: { template: 'spiffe://example.org/{namespace}/{serviceAccount}', namespaces: { '*': ['*'] } },
    workloads,
    store: { busyMs: 5_000 },
  },
  {
    clock: systemClock,
    random: systemRandom,
    limits: { takeSource: () => true, takeId: () => true },
    timer: (ms, action) => {
      const handle = setTimeout(action, ms / 10);
      return () => clearTimeout(handle);
    },
  },
);

authority.onTrust(() => {
  const [list] = authority.trust().crls;
  if (list !== undefined) say(`list ${crlNumber(list)}`);
});
await authority.start();
// The next life starts faster; a killed process would not write it.
flushCompileCache();
const { privateKey } = generateKeyPair('p256');
for (let turn = 0; ; turn += 1) {
  const pod = { name: 'agent', uid: `${process.pid}-${turn}` };
  const caller = { kind: 'kubernetes', namespace: 'workload', serviceAccount: String(turn % 8), pod } as const;
  // Revoked keys are barred, so each certificate that will be revoked gets one of its own.
  const isLost = turn % 3 === 0;
  const csr = await createCsr(isLost ? generateKeyPair('p256').privateKey : privateKey);
  const issued = await authority.issue(caller, csr, '127.0.0.1');
  if (!issued.ok) throw new Error(JSON.stringify(issued.error));
  say(`issued ${issued.value.serial}`);
  if (!isLost) continue;
  const { serial } = issued.value;
  const revoked = revoke(store, { which: { serial }, reason: 'test', bar: false }, { clock: systemClock });
  if (!revoked.ok) throw new Error(revoked.error);
  say(`revoked ${serial}`);
}
