import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { BODIES } from './workloads.ts';

const QUERY_BYTES = 1_000;
const BIG_BYTES = 1_000_000;

/** Writes what is sent in requests into the folder of a run. */
export async function writeBodies(folder: string): Promise<void> {
  await writeFile(join(folder, BODIES.query), query());
  await writeFile(join(folder, BODIES.big), Buffer.alloc(BIG_BYTES, 'x'));
}

/** JSON as an agent sends it: a few fields, a list of small objects, 1,000 bytes in all. */
function query(): string {
  const filters = Array.from({ length: 12 }, (_, index) => ({
    field: `attribute-${index}`,
    operator: 'eq',
    value: index,
  }));
  const bare = { action: 'query', collection: 'items', page: 2, filters, note: '' };
  const room = QUERY_BYTES - JSON.stringify(bare).length;
  return JSON.stringify({ ...bare, note: 'x'.repeat(room) });
}
