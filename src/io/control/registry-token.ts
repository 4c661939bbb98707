import * as z from 'zod';

import { err, ok } from '../../core/kernel/result.ts';
import { retryAfterMs } from './retry-after.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { AuthChallenge } from './auth-challenge.ts';
import type { RegistryRequests } from './registry-request.ts';

/** `detail`: for the operator. `retryAfterMs`: what the service asked for, milliseconds. */
export type TokenFault = { readonly detail: string; readonly retryAfterMs: number | undefined };

const MAX_ANSWER = 65_536;

/** RFC 6750 2.1; tokens of registries are JWTs with many claims. */
const TOKEN = /^[A-Za-z0-9._~+/-]{1,12000}=*$/;

/** Distribution, "Token Authentication Specification": one of the two names. */
const schema = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/**
 * Gets a token for pulling from `repository` (Distribution, "Token Authentication Specification"). `login`: the value of `Authorization` for the service; undefined to be nobody.
 * The scope is ours, whatever the challenge says: a token that can do more is never there to be lost.
 */
export async function fetchRegistryToken(
  requests: RegistryRequests,
  challenge: Extract<AuthChallenge, { readonly kind: 'bearer' }>,
  repository: string,
  login: string | undefined,
  nowMs: number,
): Promise<Result<string, TokenFault>> {
  const url = URL.parse(challenge.realm);
  if (url === null || !requests.isSafe(url))
    return failed('the registry names a token service that is not asked: only https:// is (WWW-Authenticate)');
  if (challenge.service !== undefined) url.searchParams.set('service', challenge.service);
  url.searchParams.set('scope', `repository:${repository}:pull`);
  const where = `its token service ${url.host}`;
  const answer = await requests.ask({
    method: 'GET',
    url: url.href,
    accept: 'application/json',
    authorization: login,
    maxBytes: MAX_ANSWER,
  });
  if (!answer.ok) return failed(`${where}: ${answer.error}`);
  const { status, headers, body } = answer.value;
  if (status === 401 || status === 403)
    return failed(`${where} answered ${status}: it does not let us in; see token and tokenFile (USER:PASSWORD)`);
  if (status !== 200) return failed(`${where} answered ${status}`, retryAfterMs(headers['retry-after'], nowMs));
  const token = readToken(body);
  return token === undefined ? failed(`${where} answered without a token`) : ok(token);
}

function readToken(body: Uint8Array): string | undefined {
  try {
    const read = schema.safeParse(JSON.parse(new TextDecoder().decode(body)));
    const token = read.data?.token ?? read.data?.access_token;
    return token !== undefined && TOKEN.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}

function failed(detail: string, retryAfter?: number): Result<never, TokenFault> {
  return err({ detail, retryAfterMs: retryAfter });
}
