import type { SpiffeId } from '../../src/core/kernel/brand.ts';
import { destinationsByName, type FindDestination } from '../../src/core/gate/destinations.ts';
import type { Destination } from '../../src/core/model/destination.ts';

/** Who is expected at a destination of a test. */
export const RESEARCHER = 'spiffe://example.org/ns/agents/sa/researcher' as SpiffeId;

/** A destination by this name. */
export function destinationTo(name: string, over: Partial<Destination> = {}): Destination {
  return { name, address: { host: '10.0.0.7', port: 8443 }, ids: [RESEARCHER], protocol: 'auto', ...over };
}

/** The look-up over some destinations whose names are sound. */
export function destinations(...all: readonly Destination[]): FindDestination {
  const found = destinationsByName(all);
  if (!found.ok) throw new TypeError(found.error.join('; '));
  return found.value;
}
