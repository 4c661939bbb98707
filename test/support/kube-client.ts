import type { TestContext } from 'node:test';

import { err, ok } from '../../src/core/kernel/result.ts';
import { createApiClient, type ApiClient } from '../../src/io/kube/api-client.ts';
import { startFakeKubeApi, type FakeKubeApi } from './fake-kube-api.ts';
import { createManualTimer } from './manual-timer.ts';

import type { Timer } from '../../src/core/kernel/clock.ts';
import type { ReadBoundedFile } from '../../src/io/kube/api-credentials.ts';

/** A fake API server with a client of it, whose files are in the test's hands. */
export type KubeClientWorld = {
  readonly api: FakeKubeApi;
  readonly client: ApiClient;
  readonly files: Map<string, string>;
  readonly timer: ReturnType<typeof createManualTimer>;
  /** `VERB KIND` of each failed request. */
  readonly faults: string[];
};

/** Reads from a map. */
export function fileReader(files: ReadonlyMap<string, string>): ReadBoundedFile {
  return (path) => {
    const text = files.get(path);
    return Promise.resolve(
      text === undefined ? err(`${path}: not found`) : ok({ bytes: Buffer.from(text), mode: 0o644 }),
    );
  };
}

/** A client of a fake API server; its deadlines run on `timer` (default: one that only the test drives). */
export function clientOf(context: TestContext, api: FakeKubeApi, faults: string[] = [], timer?: Timer): ApiClient {
  const files = new Map([
    ['token', 'client-token\n'],
    ['ca', api.caPem],
  ]);
  return makeClient(context, api, files, timer ?? createManualTimer().timer, faults);
}

export async function startKubeClient(context: TestContext): Promise<KubeClientWorld> {
  const api = await startFakeKubeApi(context);
  const files = new Map([
    ['token', 'client-token\n'],
    ['ca', api.caPem],
  ]);
  const timer = createManualTimer();
  const faults: string[] = [];
  return { api, client: makeClient(context, api, files, timer.timer, faults), files, timer, faults };
}

function makeClient(
  context: TestContext,
  api: FakeKubeApi,
  files: ReadonlyMap<string, string>,
  timer: Timer,
  faults: string[],
): ApiClient {
  const client = createApiClient(
    { url: api.url, tokenFile: 'token', caFile: 'ca', timeoutMs: 4_321 },
    { readFile: fileReader(files), timer, onFault: (verb, { kind }) => void faults.push(`${verb} ${kind}`) },
  );
  context.after(() => client.stop());
  return client;
}
