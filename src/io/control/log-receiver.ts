import { createControlClient } from './client.ts';
import { retryAfterMs } from './retry-after.ts';
import type { ControlDeps, ControlSettings } from './settings.ts';

/** What one upload came to. `too_large`: the receiver takes no request of that size (413). `refused`: it finds fault with what is in it (400, 422). */
export type UploadOutcome =
  | { readonly kind: 'taken' }
  | { readonly kind: 'too_large' }
  | {
      readonly kind: 'refused' | 'failed';
      readonly code: string;
      readonly detail: string;
      readonly retryAfterMs: number | undefined;
    };

/** A decision-log receiver (OPA documentation, "Decision Log Service API"). */
export interface LogReceiver {
  /** Posts one JSON array, compressed with gzip. Never throws. */
  upload(body: Uint8Array): Promise<UploadOutcome>;
  stop(): Promise<void>;
}

/** What a receiver may say; nobody reads it. */
const MAX_ANSWER = 65_536;

/** RFC 9110, sections 15.5.1 and 15.5.21: the same request would be answered so again. Other 4xx are about us, the address or the moment. */
const ABOUT_CONTENT: ReadonlySet<number> = new Set([400, 422]);

/** Creates the client of a receiver. */
export function createLogReceiver(
  settings: ControlSettings,
  deps: ControlDeps & { readonly wallMs: () => number },
): LogReceiver {
  const client = createControlClient(settings, deps);
  return {
    upload: async (body) => {
      const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
      const answer = await client.ask({ method: 'POST', headers, body, maxBytes: MAX_ANSWER });
      if (!answer.ok) {
        const { kind, detail } = answer.error;
        return { kind: 'failed', code: kind.toUpperCase(), detail, retryAfterMs: undefined };
      }
      const { status, headers: fields } = answer.value;
      if (status >= 200 && status < 300) return { kind: 'taken' };
      if (status === 413) return { kind: 'too_large' };
      const detail = `answered ${status}`;
      return {
        kind: ABOUT_CONTENT.has(status) ? 'refused' : 'failed',
        code: `HTTP_${status}`,
        detail,
        retryAfterMs: retryAfterMs(fields['retry-after'], deps.wallMs()),
      };
    },
    stop: () => client.stop(),
  };
}
