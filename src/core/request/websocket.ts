import { fault } from '../model/faults.ts';
import type { Fault } from '../model/faults.ts';
import type { BodyFraming } from '../model/request.ts';
import type { Fields } from './fields.ts';

/** 16 bytes in base64 with padding (RFC 6455 section 4.1, item 7); the last letter before the padding has four unused bits, which are zero. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/**
 * Checks the opening handshake (RFC 6455 section 4.2.1) of a request that asks for an upgrade. Anything but one sound WebSocket handshake is
 * refused, `h2c` first of all: it would carry requests past the gate. No body may be announced, for its bytes would be
 * read as frames (Envoy CVE-2026-73548). Fault: `upgrade_refused`.
 */
export function checkWebSocketHandshake(
  method: string,
  version: string,
  fields: Fields,
  body: BodyFraming,
): Fault | undefined {
  if (fields.upgrade?.toLowerCase() !== 'websocket') return refused('an upgrade to something else than websocket');
  if (method !== 'GET' || version !== '1.1') return refused('not a GET of HTTP/1.1');
  if (body.kind !== 'none') return refused('a body before the answer');
  if (fields.webSocketVersion !== '13') return refused('sec-websocket-version is not 13');
  if (!KEY.test(fields.webSocketKey ?? '')) return refused('sec-websocket-key is not 16 bytes in base64');
  return undefined;
}

function refused(detail: string): Fault {
  return fault('upgrade_refused', `${detail} (RFC 6455 4.2.1)`);
}
