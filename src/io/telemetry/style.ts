import type { RecordFacts } from '../../core/model/record-facts.ts';

/** What kind of traffic a record is about; a closed label set. `none`: nothing that could be read as a request. */
export type Style = 'http' | 'grpc' | 'websocket' | 'tcp' | 'none';

/** Reads the style off the facts of a record. */
export function styleOf({ input, outcome }: Pick<RecordFacts, 'input' | 'outcome'>): Style {
  if (input === undefined) return outcome.kind !== 'aborted' && outcome.grpcStatus !== undefined ? 'grpc' : 'none';
  if (input.sallyport.subject === 'connection') return 'tcp';
  if (outcome.status === 101) return 'websocket';
  const type = input.attributes.request?.http.headers['content-type'] ?? '';
  return type.startsWith('application/grpc') ? 'grpc' : 'http';
}

/** True for a connection that was closed before anything was asked on it: a failed handshake, a rejected peer, a limit, a flood. */
export function isConnectionRefusal({ outcome, decision, trace }: RecordFacts): boolean {
  return outcome.kind === 'refused' && outcome.status === 0 && decision === undefined && trace === undefined;
}
