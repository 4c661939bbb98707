import { isObject, type JsonObject } from './policy-part.ts';

import type { Labels } from './cluster-data.ts';

/**
 * A namespace's data with the segments of the cluster in `data.fleet.agents`, where the starter library looks them up. What the namespace says itself comes first: an
 * ID that it names, or that one of its `spiffe://…/**` covers, is left to it. Data whose fleet is of another shape stays as it is.
 */
export function joinFleet(data: JsonObject, segments: Labels): JsonObject {
  const fleet = Object.hasOwn(data, 'fleet') ? data['fleet'] : {};
  if (!isObject(fleet)) return data;
  const agents = Object.hasOwn(fleet, 'agents') ? fleet['agents'] : {};
  if (!isObject(agents)) return data;
  const known = Object.entries(segments).filter(([id]) => !isCovered(id, agents));
  if (known.length === 0) return data;
  return { ...data, fleet: { ...fleet, agents: { ...Object.fromEntries(known), ...agents } } };
}

/** `spiffe:` and the two slashes, then the trust domain: `/**` stands behind these at least (policies/segments.rego). */
const FIRST_LENGTH = 3;

function isCovered(id: string, agents: JsonObject): boolean {
  if (Object.hasOwn(agents, id)) return true;
  const parts = id.split('/');
  for (let length = FIRST_LENGTH; length < parts.length; length++)
    if (Object.hasOwn(agents, `${parts.slice(0, length).join('/')}/**`)) return true;
  return false;
}
