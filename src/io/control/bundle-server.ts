import { createControlClient, type Answer } from './client.ts';
import { retryAfterMs } from './retry-after.ts';
import { shownUrl, type ControlDeps, type ControlSettings } from './settings.ts';

/** What one download asks for. */
export type BundleAsk = {
  /** Of the bundle that is active; undefined to get one whatever it is. */
  readonly etag: string | undefined;
  /** Whether a delta to that bundle will do too. */
  readonly delta: boolean;
  /** How long the server may hold the request until there is something new, milliseconds; undefined for no long poll. */
  readonly waitMs: number | undefined;
};

/** What one download gave. */
export type BundleAnswer =
  | {
      readonly kind: 'archive';
      readonly bytes: Uint8Array;
      readonly etag: string | undefined;
      /** The server can hold requests. */
      readonly longPolling: boolean;
    }
  | { readonly kind: 'unchanged'; readonly etag: string | undefined; readonly longPolling: boolean }
  | {
      readonly kind: 'failed';
      /** For the operator. */
      readonly detail: string;
      /** Where there was an answer. */
      readonly httpCode: number | undefined;
      /** What the server asked for, milliseconds. */
      readonly retryAfterMs: number | undefined;
    };

/** The bundle of one URL (OPA documentation, "Bundle Service API"). */
export interface BundleServer {
  /** Asks once. Never throws. */
  fetch(ask: BundleAsk): Promise<BundleAnswer>;
  stop(): Promise<void>;
}

/** OPA recognises a server that can hold requests by this type of its answers. */
const LONG_POLLING_TYPE = 'application/vnd.openpolicyagent.bundles';

/** Types that are no archive, whatever the server means by it: an error page, a login form, an API's message. */
const NO_ARCHIVE = /^(?:text\/|application\/(?:[^;]*\+)?(?:json|xml)\b)/i;

/** ETags are opaque (RFC 9110 8.8.3); what goes back in a header field is kept to what may stand there, and short. */
const ETAG = /^(?:W\/)?"?[\x21\x23-\x7e]{0,1024}"?$/;

/** Creates the client of a bundle server. `archiveBytes`: the largest bundle that is read. */
export function createBundleServer(
  settings: ControlSettings,
  archiveBytes: number,
  deps: ControlDeps & { readonly wallMs: () => number },
): BundleServer {
  const client = createControlClient(settings, deps);
  const where = shownUrl(settings.url);
  return {
    fetch: async (ask) => {
      const answer = await client.ask({
        method: 'GET',
        headers: headersOf(ask),
        maxBytes: archiveBytes,
        extraMs: ask.waitMs,
      });
      if (answer.ok) return judge(answer.value, where, settings.peer, deps.wallMs());
      return {
        kind: 'failed',
        detail: `${where}: ${answer.error.detail}`,
        httpCode: undefined,
        retryAfterMs: undefined,
      };
    },
    stop: () => client.stop(),
  };
}

function headersOf({ etag, delta, waitMs }: BundleAsk): Record<string, string> {
  const modes = delta ? 'modes=snapshot,delta' : 'modes=snapshot';
  const wait = waitMs === undefined ? '' : `;wait=${Math.ceil(waitMs / 1_000)}`;
  return { prefer: `${modes}${wait}`, ...(etag !== undefined && { 'if-none-match': etag }) };
}

function judge(
  { status, headers, body }: Answer,
  where: string,
  peer: string | undefined,
  nowMs: number,
): BundleAnswer {
  const type = headers['content-type'] ?? '';
  const etag = ETAG.test(headers['etag'] ?? '') && headers['etag'] !== '' ? headers['etag'] : undefined;
  const longPolling = type.split(';', 1)[0]?.trim().toLowerCase() === LONG_POLLING_TYPE;
  if (status === 304) return { kind: 'unchanged', etag, longPolling };
  const failed = (why: string): BundleAnswer => ({
    kind: 'failed',
    detail: `${where}: ${why}`,
    httpCode: status,
    retryAfterMs: retryAfterMs(headers['retry-after'], nowMs),
  });
  if (status >= 300 && status < 400)
    return failed(`answered ${status}: redirects are not followed; give the URL it leads to`);
  if (status === 401 || status === 403)
    return failed(`answered ${status}: it does not let us in; see ${shownToIt(peer)}`);
  if (status === 404) return failed('answered 404: it has no such bundle');
  if (status !== 200) return failed(`answered ${status}`);
  if (NO_ARCHIVE.test(type)) return failed('answered with a text, not with a bundle (Content-Type)');
  return { kind: 'archive', bytes: body, etag, longPolling };
}

function shownToIt(peer: string | undefined): string {
  return peer === undefined ? 'token, tokenFile and certificate' : 'which identity of ours its policy wants';
}
