import { generateKeyPairSync } from 'node:crypto';

import { caKeys } from '../../../src/app/ca-keys.ts';
import { signBytes } from '../../../src/core/issuance/signing-key.ts';
import { valueOf } from '../authority-world.ts';

import type { KeyObject } from 'node:crypto';

/* Signatures a second, one after the other, as an authority makes them: by the key in a token that the file named first refers to, and by one in memory. */

const [reference = ''] = process.argv.slice(2);
const token = valueOf(await caKeys('', undefined)(reference));
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
process.stdout.write(JSON.stringify({ token: await perSecond(token), memory: await perSecond(privateKey) }));

async function perSecond(key: KeyObject): Promise<number> {
  const count = 500;
  const begin = performance.now();
  for (let done = 0; done < count; done += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other is what is measured
    await signBytes('p256', key, Buffer.from('to be signed'));
  }
  return Math.round((count / (performance.now() - begin)) * 1_000);
}
