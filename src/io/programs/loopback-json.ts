import { get } from 'node:http';

import { gatherBytes } from '../../core/kernel/gather-bytes.ts';
import { err, ok } from '../../core/kernel/result.ts';

import type { IncomingMessage } from 'node:http';
import type { Result } from '../../core/kernel/result.ts';

/** Far more than a status has. */
const MAX_BYTES = 1_048_576;

/** GETs JSON from a port of 127.0.0.1: status 200, at most 1 MiB, within the time. The error is a text for people, with nothing of the answer in it. */
export function getJson(port: number, path: string, timeoutMs: number): Promise<Result<unknown, string>> {
  const { promise, resolve } = Promise.withResolvers<Result<unknown, string>>();
  const signal = AbortSignal.timeout(timeoutMs);
  const request = get({ host: '127.0.0.1', port, path, signal, agent: false, headers: { connection: 'close' } });
  request.once('response', (response) => void gather(response).then(resolve));
  request.once('error', (error: NodeJS.ErrnoException) => {
    resolve(err(signal.aborted ? `no answer within ${timeoutMs / 1000} s` : `no answer (${error.code ?? 'cut off'})`));
  });
  return promise;
}

async function gather(response: IncomingMessage): Promise<Result<unknown, string>> {
  if (response.statusCode !== 200) {
    response.destroy();
    return err(`answered with status ${response.statusCode}`);
  }
  try {
    const bytes = await gatherBytes(response as AsyncIterable<Buffer>, MAX_BYTES);
    if (bytes === undefined) return err(`answered with more than ${MAX_BYTES} bytes`);
    return ok(JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown);
  } catch (error) {
    return err(error instanceof SyntaxError ? 'answered with no JSON' : 'the answer broke off');
  }
}
