import assert from 'node:assert/strict';
import { test } from 'node:test';

import { authorityReadiness, createAuthorityHealth, type AuthorityParts } from '../../../src/app/authority-health.ts';
import { NULL_LOG } from '../../../src/io/telemetry/log.ts';

import type { AuthorityFigures } from '../../../src/io/authority/issuing-authority.ts';

const NOW = 1_700_000_000_000;
const FIGURES: AuthorityFigures = {
  issued: 1,
  refused: {},
  living: 1,
  revoked: 0,
  nextUpdateMs: NOW + 1,
  issuerEndsMs: NOW + 1,
  crlNumber: 3,
  roots: [],
  podsUnproven: 0,
  podProblem: undefined,
  recordsPending: 0,
  recordsLost: 0,
  problem: undefined,
};

type Publication = NonNullable<AuthorityParts['publication']>;

function states(change: Partial<AuthorityFigures>, publication?: Publication): Readonly<Record<string, string>> {
  const parts = { authority: { figures: () => ({ ...FIGURES, ...change }) }, publication };
  const readiness = authorityReadiness(parts, NOW);
  return Object.fromEntries(Object.entries(readiness).map(([name, { ok, detail }]) => [name, `${ok}: ${detail}`]));
}

const GOOD = {
  issuing: 'true: the issuing certificate is in force',
  lists: 'true: current',
  pods: 'true: asked for where needed',
};

const ROWS: readonly (readonly [
  title: string,
  change: Partial<AuthorityFigures>,
  publication: Publication | undefined,
  expected: object,
])[] = [
  ['all is well', {}, undefined, {}],
  ['the issuing certificate has ended', { issuerEndsMs: NOW }, undefined, { issuing: 'false: nothing can be issued' }],
  [
    'there is no issuing key',
    { issuerEndsMs: 0, problem: 'key: not there' },
    undefined,
    { issuing: 'false: key: not there', lists: 'true: key: not there' },
  ],
  [
    'a list is overdue',
    { nextUpdateMs: NOW, problem: 'token gone' },
    undefined,
    { lists: 'false: a revocation list is overdue: token gone' },
  ],
  [
    'the API server is away: told, and ready all the same',
    { podProblem: 'pod: failed (ECONNREFUSED)' },
    undefined,
    { pods: 'true: renewed by earlier proof: pod: failed (ECONNREFUSED)' },
  ],
  ['published', {}, { isPublished: true, problem: undefined }, { publication: 'true: published' }],
  ['not yet published', {}, { isPublished: false, problem: undefined }, { publication: 'false: not yet published' }],
  ['never published', {}, { isPublished: false, problem: '403' }, { publication: 'false: 403' }],
  [
    'published before the API server went away',
    {},
    { isPublished: true, problem: '500' },
    { publication: 'true: published before; 500' },
  ],
];
for (const [title, change, publication, expected] of ROWS)
  test(title, () => assert.deepEqual(states(change, publication), { ...GOOD, ...expected }));

test('it is served over plain HTTP: alive, not ready with the reason, and the figures', async (context) => {
  const service = {
    figures: () => ({ connections: 2, waiting: 0, working: 0, answers: new Map(), refusals: new Map([['x', 3]]) }),
  };
  const parts = { authority: { figures: () => FIGURES }, service, publication: { isPublished: true, problem: '500' } };
  const health = await createAuthorityHealth({ listen: { host: '0.0.0.0', port: 0 } }, parts, NULL_LOG);
  const { port } = await health.start();
  context.after(() => health.stop(0));
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  assert.equal((await get('/healthz')).status, 200);
  const ready = await get('/readyz');
  const { parts: said } = (await ready.json()) as { parts: Record<string, { ok: boolean; detail: string }> };
  // By the clock of this machine, lists and issuing certificate of 2023 have ended.
  assert.deepEqual([ready.status, said['issuing']?.ok, said['publication']?.ok], [503, false, true]);
  const text = await (await get('/metrics')).text();
  assert.match(text, /^sallyport_authority_open_connections 2$/m);
  assert.match(text, /^sallyport_authority_requests_refused_total\{reason="x"\} 3$/m);
  assert.match(text, /^sallyport_authority_roots_published 0$/m);
  assert.equal((await get('/v1/svid')).status, 404);
});
