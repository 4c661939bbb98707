import { join } from 'node:path';

import { writeFiles } from '../../../support/temp-folder.ts';
import { regoFiles } from '../access.ts';
import type { PolicyName, World } from '../target.ts';

/** Writes a policy for OPA and Sallyport into a folder of the world, and gives that. */
export async function writePolicy({ folder }: World, policy: PolicyName): Promise<string> {
  const path = join(folder, `policy-${policy}`);
  await writeFiles(path, regoFiles(policy));
  return path;
}
