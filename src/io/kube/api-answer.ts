import { gatherBytes } from '../../core/kernel/gather-bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';
import { faultOfStatus } from './api-fault.ts';
import { isKubeObject, isRecord } from './api-resource.ts';
import { reasonText, readWatchEvent } from './watch-event.ts';
import { createLineSplitter } from './watch-lines.ts';

import type { Dispatcher } from 'undici';
import type { Result } from '../../core/kernel/result.ts';
import type { ApiFault } from './api-fault.ts';
import type { KubeObject, Resource, Verb } from './api-resource.ts';
import type { WatchEvent } from './watch-event.ts';

/** An answer whose body is still to be read. */
export type ApiResponse = Dispatcher.ResponseData;

/** A part of a collection, each object with a name. */
export type ObjectPage = {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  /** Of the next page; empty after the last. */
  readonly continue: string;
};

/** The API server takes objects of 1.5 MiB (etcd's bound on a request), and managed fields come on top. */
const MAX_OBJECT = 4_194_304;
const MAX_STATUS = 16_384;
const MAX_RETRY_AFTER_S = 600;

/** The body as one object. */
export async function objectOf(response: ApiResponse): Promise<Result<KubeObject, ApiFault>> {
  const value = await jsonOf(response, MAX_OBJECT);
  if (!value.ok) return value;
  return isKubeObject(value.value) ? ok(value.value) : err(broken('the answer is no object'));
}

/** The body as a list. */
export async function pageOf(response: ApiResponse, maxBytes: number): Promise<Result<ObjectPage, ApiFault>> {
  const value = await jsonOf(response, maxBytes);
  if (!value.ok) return value;
  const { items, metadata } = isRecord(value.value) ? value.value : {};
  const { resourceVersion, continue: next = '' } = isRecord(metadata) ? metadata : {};
  // Go writes an empty list as null where it is a list of nothing.
  const objects: unknown = items ?? [];
  if (!Array.isArray(objects) || typeof resourceVersion !== 'string' || resourceVersion === '')
    return err(broken('the answer is no list'));
  if (typeof next !== 'string' || !objects.every((one) => isKubeObject(one) && one.metadata.name !== undefined))
    return err(broken('the answer holds what is no object'));
  return ok({ items: objects as readonly KubeObject[], resourceVersion, continue: next });
}

/** Tells of each event of a watch as it comes; ends with the watch, or with the first line that is none. */
export async function hearEvents(
  response: ApiResponse,
  maxBytes: number,
  hear: (event: WatchEvent) => void,
): Promise<Result<undefined, ApiFault>> {
  const splitter = createLineSplitter(maxBytes);
  for await (const piece of response.body as AsyncIterable<Uint8Array>) {
    const lines = splitter.take(piece);
    if (lines === undefined) return err(giveUp(response, tooLarge(maxBytes)));
    for (const line of lines) {
      const event = readWatchEvent(line);
      if (!event.ok) return err(giveUp(response, event.error));
      if (event.value.kind === 'error') return err(giveUp(response, event.value.fault));
      hear(event.value);
    }
  }
  return splitter.pending === 0 ? ok(undefined) : err(broken('a watch ended within a line'));
}

async function jsonOf(response: ApiResponse, maxBytes: number): Promise<Result<unknown, ApiFault>> {
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) return err(giveUp(response, tooLarge(maxBytes)));
  const bytes = await gatherBytes(response.body as AsyncIterable<Uint8Array>, maxBytes);
  if (bytes === undefined) return err(giveUp(response, tooLarge(maxBytes)));
  try {
    return ok(JSON.parse(new TextDecoder().decode(bytes)) as unknown);
  } catch {
    return err(broken('the answer is no JSON'));
  }
}

/** What a refusal says: its status, the word of its Status object, and when to ask again. */
export async function statusFault(
  response: ApiResponse,
  asked: { readonly verb: Verb; readonly resource: Resource },
): Promise<ApiFault> {
  const { statusCode, headers } = response;
  const status = await jsonOf(response, MAX_STATUS);
  const reason = status.ok && isRecord(status.value) ? reasonText(status.value['reason']).trim() : '';
  return faultOfStatus(statusCode, reason, asked, retryAfterMs(headers['retry-after']));
}

/** The API server says seconds (RFC 9110 10.2.3 also has dates). */
function retryAfterMs(field: string | string[] | undefined): number | undefined {
  return typeof field === 'string' && /^[0-9]{1,9}$/.test(field)
    ? Math.min(MAX_RETRY_AFTER_S, Number(field)) * 1_000
    : undefined;
}

/** Ends an exchange whose answer is no good: the rest of it is not read, and its connection not used again. */
function giveUp(response: ApiResponse, fault: ApiFault): ApiFault {
  response.body.on('error', () => undefined).destroy();
  return fault;
}

function tooLarge(maxBytes: number): ApiFault {
  return { kind: 'too_large', detail: `API server: the answer is larger than ${maxBytes} bytes` };
}

function broken(what: string): ApiFault {
  return { kind: 'broken', detail: `API server: ${what}` };
}
