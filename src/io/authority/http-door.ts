import type { IncomingMessage, ServerResponse } from 'node:http';

import { err, type Result } from '../../core/kernel/result.ts';
import { problem, refused, send, type HttpAnswer, type HttpRefusal } from './http-answer.ts';
import type { ServiceDeps, ServiceLimits } from './http-settings.ts';
import { createRateLimit } from './rate-limit.ts';

type Answered = Result<HttpAnswer, HttpRefusal>;

/** Decides on one request; the door writes the answer. */
export type Route = (request: IncomingMessage, response: ServerResponse) => Answered | Promise<Answered>;

/** By method and path, without query: `GET /v1/crl`. */
export type Routes = ReadonlyMap<string, Route>;

/** Where requests come in: finds their route, answers, and tells the operator what callers are not told. */
export interface Door {
  /** Never rejects. */
  serve(request: IncomingMessage, response: ServerResponse, routes: Routes): Promise<void>;
  /** Answers since start, by HTTP status. */
  readonly answers: ReadonlyMap<number, number>;
  /** Refusals since start, by reason; reasons are few and none is a caller's to choose. */
  readonly refusals: ReadonlyMap<string, number>;
}

/** Lines of the process log about refusals, so that nobody fills a disk with them; what is left out is counted. */
const LOG_RATE = { perSecond: 10, burst: 100, keys: 1 };
/** Characters of a path that are logged. */
const MAX_SHOWN = 64;

export function createDoor(
  { log, clock, timer }: Pick<ServiceDeps, 'log' | 'clock' | 'timer'>,
  limits: Pick<ServiceLimits, 'answerTimeoutMs'>,
): Door {
  const answers = new Map<number, number>();
  const refusals = new Map<string, number>();
  const lines = createRateLimit(LOG_RATE, clock);
  let leftOut = 0;

  async function decide(request: IncomingMessage, response: ServerResponse, routes: Routes): Promise<Answered> {
    const { headers } = request;
    if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined)
      return refused('browser', 'it comes from a page in a browser');
    const route = routes.get(routeOf(request));
    if (route === undefined) return refused('route_unknown', 'there is nothing of this method and path');
    try {
      return await route(request, response);
    } catch (error) {
      log.error({ error: String(error) }, 'a request to the authority failed');
      return err({ kind: 'unavailable', reason: 'internal', detail: 'internal error' });
    }
  }

  function report(request: IncomingMessage, source: string, { reason, detail }: HttpRefusal): void {
    refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
    if (lines.take('refusals') > 0) {
      leftOut += 1;
      return;
    }
    const route = routeOf(request).slice(0, MAX_SHOWN);
    log.warn(
      { source, route, reason, detail, ...(leftOut > 0 && { leftOut }) },
      'a request to the authority was refused',
    );
    leftOut = 0;
  }

  return {
    answers,
    refusals,
    async serve(request, response, routes) {
      // Once the connection is gone it has no address any more.
      const source = request.socket.remoteAddress ?? 'unknown';
      const decided = await decide(request, response, routes);
      if (!decided.ok) report(request, source, decided.error);
      const answer = decided.ok ? decided.value : problem(decided.error);
      answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
      if (response.destroyed) return;
      const cancel = timer(limits.answerTimeoutMs, () => request.socket.destroy());
      response.once('close', cancel);
      send(response, answer);
    },
  };
}

function routeOf({ method = '', url = '' }: IncomingMessage): string {
  return `${method} ${url.split('?', 1)[0] ?? ''}`;
}
