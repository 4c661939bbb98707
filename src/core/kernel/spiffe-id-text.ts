import type { SpiffeId } from './brand.ts';

const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]+)+$/;

/** A SPIFFE ID with a path, of at most 2,048 bytes and without the segments `.` and `..` (SPIFFE-ID 2.2, 2.3). */
export function parseSpiffeIdText(text: string): SpiffeId | undefined {
  if (!SPIFFE_ID.test(text) || text.length > 2_048) return undefined;
  const isDotted = text.split('/').some((segment, index) => index > 2 && (segment === '.' || segment === '..'));
  return isDotted ? undefined : (text as SpiffeId);
}
