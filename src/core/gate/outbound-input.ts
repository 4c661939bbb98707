import { parseSpiffeId } from '../identity/spiffe-id.ts';
import type { Connection } from '../model/connection.ts';
import type { Destination } from '../model/destination.ts';
import type { PolicyPeer, SallyportInput } from '../model/policy-input.ts';
import { connectionInput, type Agent, type ConnectionInput } from './input.ts';

/** The parts of the input that are the same for all calls of one connection of the agent to one destination. */
export type InputTo = (destination: Destination) => ConnectionInput;

/**
 * The input of the agent's own calls: the source is the agent that we stand beside, by our own ID; the other side is the destination. It is
 * judged before there is a connection, so the other side is who it has to be: where several IDs may be there, none is named but in the list.
 */
export function outboundInput(connection: Connection, agent: Agent): InputTo {
  const base = connectionInput(connection, { kind: 'anonymous' }, agent, 'request');
  const source: PolicyPeer = { ...base.source(false), ...(agent.spiffeId && { principal: agent.spiffeId }) };
  const made = new Map<Destination, ConnectionInput>();
  return (destination) => {
    const known = made.get(destination);
    if (known !== undefined) return known;
    const { host, port } = destination.address;
    const [id, ...others] = destination.ids;
    const only = others.length === 0 ? id : undefined;
    const input: ConnectionInput = {
      ...base,
      source: () => source,
      principal: agent.spiffeId,
      destination: {
        address: { socketAddress: { address: host, portValue: port } },
        ...(only !== undefined && { principal: only }),
      },
      sallyport: {
        ...base.sallyport,
        peer: { ...(only !== undefined && expected(only)), resumed: false },
        destination: { name: destination.name, host, port, spiffe_ids: destination.ids },
      },
    };
    made.set(destination, input);
    return input;
  };
}

function expected(id: string): Pick<SallyportInput['peer'], 'spiffe_id' | 'trust_domain' | 'path'> {
  const read = parseSpiffeId(id);
  return { spiffe_id: id, ...(read.ok && { trust_domain: read.value.trustDomain, path: read.value.path }) };
}
