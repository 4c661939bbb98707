import { at } from './raw-values.ts';

import type { Finding } from './mistake.ts';

const KINDS = ['http', 'grpc', 'tcp'] as const;

/** What no single key shows of `probes`: each target is asked in one way. Values as they were read. */
export function probeFindings(probes: unknown): readonly Finding[] {
  const targets = at(probes, 'targets');
  if (typeof targets !== 'object' || targets === null || Array.isArray(targets)) return [];
  return Object.entries(targets).flatMap(([name, target]) => {
    if (typeof target !== 'object' || target === null || Array.isArray(target)) return [];
    const [first, second] = KINDS.filter((kind) => at(target, kind) !== undefined);
    const path = ['probes', 'targets', name];
    if (first === undefined) return [{ path, expected: 'one of http, grpc and tcp' }];
    return second === undefined ? [] : [{ path: [...path, second], expected: `no such key beside ${first}` }];
  });
}
