import { err, ok } from '../../core/kernel/result.ts';
import { isKubeObject, isRecord } from './api-resource.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { ApiFault } from './api-fault.ts';
import type { KubeObject } from './api-resource.ts';

/** One line of a watch (Kubernetes API concepts, "Efficient detection of changes"). */
export type WatchEvent =
  | { readonly kind: 'present'; readonly object: KubeObject }
  | { readonly kind: 'deleted'; readonly object: KubeObject }
  /** Nothing changed up to this resourceVersion. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }
  /** The watch is over; 410 means that its resourceVersion is too old. */
  | { readonly kind: 'error'; readonly fault: ApiFault };

/** Reads a line. A kind of event that is not known, and an object without name or resourceVersion, is no watch of ours. */
export function readWatchEvent(line: string): Result<WatchEvent, ApiFault> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return broken('a line that is no JSON');
  }
  if (!isRecord(event)) return broken('a line that is no object');
  const { type, object } = event;
  if (type === 'ERROR') return ok({ kind: 'error', fault: faultOf(object) });
  if (!isKubeObject(object)) return broken('an event without an object');
  const { name = '', resourceVersion = '' } = object.metadata;
  if (resourceVersion === '') return broken('an object without resourceVersion');
  if (type === 'BOOKMARK') return ok({ kind: 'bookmark', resourceVersion });
  if (name === '') return broken('an object without name');
  if (type === 'ADDED' || type === 'MODIFIED') return ok({ kind: 'present', object });
  return type === 'DELETED' ? ok({ kind: 'deleted', object }) : broken('an event of an unknown type');
}

function faultOf(status: unknown): ApiFault {
  const { code, reason } = isRecord(status) ? status : {};
  const said = `${typeof code === 'number' ? code : 'no code'}${reasonText(reason)}`;
  const kind = code === 410 ? 'gone' : 'unavailable';
  return { kind, detail: `watch: the API server ended it (${said})` };
}

/** The `reason` of a Status: a word of its API, or nothing. */
export function reasonText(reason: unknown): string {
  return typeof reason === 'string' && /^[A-Za-z]{1,64}$/.test(reason) ? ` ${reason}` : '';
}

function broken(what: string): Result<never, ApiFault> {
  return err({ kind: 'broken', detail: `watch: ${what}` });
}
