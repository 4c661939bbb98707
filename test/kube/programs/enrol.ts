/** `node enrol.ts URL ID` with `{roots, token}` as JSON on stdin: asks an authority for an identity by that token; prints the identity, or what kind of no it was. */
import { generateKeyPairSync } from 'node:crypto';
import { text } from 'node:stream/consumers';

import { pemBlocks } from '../../../src/core/identity/pem.ts';
import { createCsr } from '../../../src/core/issuance/create-csr.ts';
import { ok } from '../../../src/core/kernel/result.ts';
import { createAuthorityClient } from '../../../src/io/enrolment/authority-client.ts';
import { systemTimer } from '../../../src/io/sources/timer.ts';
import { systemClock } from '../../support/system-clock.ts';

const [url = '', id = ''] = process.argv.slice(2);
const { roots, token } = JSON.parse(await text(process.stdin)) as { readonly roots: string; readonly token: string };
const client = createAuthorityClient(
  { url, id, method: 'kubernetes', token: 'token' },
  {
    readFile: () => Promise.resolve(ok({ bytes: Buffer.from(token), mode: 0o600 })),
    clock: systemClock,
    timer: systemTimer,
  },
);
const blocks = pemBlocks(roots);
if (!blocks.ok) throw new Error(blocks.error);
client.trustRoots(blocks.value.map(({ der }) => der));
const enrolled = await client.enrol(await createCsr(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey));
console.log(enrolled.ok ? enrolled.value.spiffeId : `${enrolled.error.kind}: ${enrolled.error.detail}`);
await client.stop();
