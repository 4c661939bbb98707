import type { BundleServer, Download } from '../../src/io/sources/bundle-server-source.ts';

export type BundleAsk = Parameters<BundleServer['fetch']>[0];

/** A bundle server whose answers the test gives, one for each request, when it wants. */
export interface ScriptedBundleServer extends BundleServer {
  /** All requests so far. */
  readonly asks: readonly BundleAsk[];
  /** True while a request waits for its answer. */
  readonly isAsked: boolean;
  /** Answers the request under way, or the next one. */
  answer(download: Download): void;
  readonly isStopped: boolean;
}

export function createScriptedBundleServer(): ScriptedBundleServer {
  const asks: BundleAsk[] = [];
  const answers: Download[] = [];
  let waiting: ((download: Download) => void) | undefined;
  let stopped = false;
  return {
    asks,
    get isAsked() {
      return waiting !== undefined;
    },
    get isStopped() {
      return stopped;
    },
    fetch: (ask) => {
      if (waiting !== undefined) throw new Error('two requests at once');
      asks.push(ask);
      const ready = answers.shift();
      if (ready !== undefined) return Promise.resolve(ready);
      return new Promise((resolve) => {
        waiting = resolve;
      });
    },
    answer: (download) => {
      if (waiting === undefined) answers.push(download);
      else waiting(download);
      waiting = undefined;
    },
    stop: () => {
      stopped = true;
      return Promise.resolve();
    },
  };
}

/** An answer with an archive. */
export function archiveAnswer(bytes: Uint8Array, etag?: string, longPolling = false): Download {
  return { kind: 'archive', bytes, etag, longPolling };
}

/** An answer that there is nothing new. */
export function unchanged(longPolling = false): Download {
  return { kind: 'unchanged', etag: undefined, longPolling };
}

/** No answer, or none that is any good. */
export function failed(detail: string, httpCode?: number, retryAfterMs?: number): Download {
  return { kind: 'failed', detail, httpCode, retryAfterMs };
}
