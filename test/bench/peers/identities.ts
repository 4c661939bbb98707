import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createAuthority } from '../../support/pki.ts';
import type { Issued } from '../../support/pki.ts';
import { replace } from './replace-file.ts';

const AGENTS = 'spiffe://example.org/agents';

/** Who takes part: `agent` is the proxies' own, `client` the load's, `flood` that of another peer with the same rights, `stranger` has none. */
const NAMES = { agent: 'agent', client: 'client', flood: 'agent-03', stranger: 'stranger' } as const;

/** Makes all identities of a run in its folder (`NAME.pem`, `NAME.key`, and `ca.pem` above them), new each time. */
export async function writeIdentities(
  folder: string,
): Promise<{ /** Another certificate and key for `agent`. */ readonly renew: () => Promise<void> }> {
  const authority = createAuthority({ trustDomain: 'example.org' });
  const issue = (name: string): Issued => authority.issue({ id: `${AGENTS}/${name}`, dnsNames: ['localhost'] });
  const write = async (file: string, { chainPem, keyPem }: Issued): Promise<void> => {
    await replace(join(folder, `${file}.key`), keyPem);
    await replace(join(folder, `${file}.pem`), chainPem);
  };
  await writeFile(join(folder, 'ca.pem'), authority.bundlePem);
  for (const [file, name] of Object.entries(NAMES)) await write(file, issue(name));
  return { renew: () => write('agent', issue(NAMES.agent)) };
}
