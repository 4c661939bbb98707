import { once } from 'node:events';
import { request, type RequestOptions } from 'node:https';
import { createInterface } from 'node:readline';

const LIMIT_MS = 20_000;

/** Where an API server is and as whom it is asked. */
export type KubeApi = { readonly url: string; readonly caPem: string; readonly token: string };

export type ApiAnswer = { readonly status: number; readonly json: unknown };

/** An object of Kubernetes as it came. */
export type KubeObject = {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [key: string]: unknown;
};

export type ApiCall = {
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  /** Default `application/json`; patches have types of their own. */
  readonly type?: string;
  /** Another caller than the administrator. */
  readonly token?: string;
};

/** One call, whatever its answer; rejects where there is none. */
export async function callApi(api: KubeApi, call: ApiCall): Promise<ApiAnswer> {
  const outgoing = request(`${api.url}${call.path}`, { ...optionsOf(api, call), timeout: LIMIT_MS });
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer to ${call.path} within ${LIMIT_MS} ms`)));
  outgoing.end(call.body === undefined ? undefined : JSON.stringify(call.body));
  const [response] = (await once(outgoing, 'response')) as [NodeJS.ReadableStream & { statusCode?: number }];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, json: parsed(text) };
}

/** One call that has to succeed; what it answered. */
export async function askApi(api: KubeApi, call: ApiCall): Promise<unknown> {
  const { status, json } = await callApi(api, call);
  if (status >= 200 && status < 300) return json;
  throw new Error(`${call.method ?? 'GET'} ${call.path}: ${status} ${JSON.stringify(json).slice(0, 2_000)}`);
}

/** Objects of a list. */
export async function listObjects(api: KubeApi, path: string): Promise<readonly KubeObject[]> {
  return ((await askApi(api, { path })) as { readonly items: readonly KubeObject[] }).items;
}

/** Calls `heard` with each object that is there and each that comes or changes, until `signal`; goes on after an outage. */
export async function followObjects(
  api: KubeApi,
  path: string,
  heard: (object: KubeObject) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await watchOnce(api, path, heard, signal).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function watchOnce(
  api: KubeApi,
  path: string,
  heard: (object: KubeObject) => void,
  signal: AbortSignal,
): Promise<void> {
  const outgoing = request(`${api.url}${path}?watch=1`, { ...optionsOf(api, { path }), signal });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [NodeJS.ReadableStream];
  for await (const line of createInterface({ input: response })) {
    const event = JSON.parse(line) as { readonly type: string; readonly object: KubeObject };
    if (event.type === 'ADDED' || event.type === 'MODIFIED') heard(event.object);
  }
}

function optionsOf(api: KubeApi, call: ApiCall): RequestOptions {
  return {
    method: call.method ?? 'GET',
    ca: api.caPem,
    // No connection outlives its call: one that was kept would be found dead after an outage.
    agent: false,
    headers: {
      authorization: `Bearer ${call.token ?? api.token}`,
      accept: 'application/json',
      ...(call.body === undefined ? {} : { 'content-type': call.type ?? 'application/json' }),
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
