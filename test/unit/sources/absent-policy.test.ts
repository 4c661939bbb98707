import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { err, ok } from '../../../src/core/kernel/result.ts';
import { createBundleServerSource } from '../../../src/io/sources/bundle-server-source.ts';
import { createArchiveJudge } from '../../../src/io/sources/judge-archive.ts';
import { createPolicySource } from '../../../src/io/sources/policy-source.ts';
import { createDrivenClock } from '../../support/driven-clock.ts';
import { snapshotArchive } from '../../support/policy-archives.ts';
import { archiveAnswer, createScriptedBundleServer } from '../../support/scripted-bundle-server.ts';
import { replaceFile, tempFolder, writeFiles } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';

import type { Download } from '../../../src/io/sources/bundle-server-source.ts';
import type { Source } from '../../../src/io/sources/follower.ts';
import type { Problems } from '../../../src/io/sources/problem.ts';

const NONE = 'none';

/** What a server answered instead of a bundle. */
function refused(httpCode: number): Download {
  return { kind: 'failed', detail: `answered ${httpCode}`, httpCode, retryAfterMs: undefined };
}

const MODULE = Buffer.from('\0asm\x01\0\0\0', 'latin1');

type Local = { readonly folder: string; readonly source: Source<string>; readonly problems: (Problems | undefined)[] };

/** A source of `policies` below a folder, whose value is the module's length or `none`. */
async function local(context: TestContext, isOptional = true): Promise<Local> {
  const folder = await tempFolder(context);
  const problems: (Problems | undefined)[] = [];
  const source = createPolicySource<string>(
    { bundle: join(folder, 'policies') },
    {
      pollMs: 3_600_000,
      settleMs: 5,
      compile: () => Promise.resolve(err(['no compiler'])),
      activate: ({ wasm }) => Promise.resolve(ok(`${wasm.length} bytes`)),
      onProblem: (found) => problems.push(found),
      ...(isOptional && { absent: () => NONE }),
    },
  );
  context.after(() => source.stop());
  return { folder, source, problems };
}

describe('a policy in a folder that may be absent', () => {
  test('is none while there is nothing, and no problem; it comes, changes and goes', async (context) => {
    const { folder, source, problems } = await local(context);
    await source.start();
    assert.equal(source.current, NONE);
    await writeFiles(folder, { 'policies/policy.wasm': MODULE });
    await source.reload();
    assert.equal(source.current, '8 bytes');
    await rm(join(folder, 'policies'), { recursive: true });
    await source.reload();
    assert.equal(source.current, NONE);
    assert.deepEqual(problems, []);
  });

  test('an empty folder is none: an optional ConfigMap that is not there', async (context) => {
    const { folder, source, problems } = await local(context);
    await mkdir(join(folder, 'policies'));
    await writeFiles(folder, { 'policies/..data/notes.txt': 'x' });
    await source.start();
    assert.equal(source.current, NONE);
    assert.deepEqual(problems, []);
  });

  test('it is seen without being told', async (context) => {
    const { folder, source } = await local(context);
    await mkdir(join(folder, 'policies'));
    await source.start();
    await replaceFile(join(folder, 'policies/policy.wasm'), MODULE);
    await until('the policy', () => source.current === '8 bytes');
    await rm(join(folder, 'policies/policy.wasm'));
    await until('none', () => source.current === NONE);
  });

  test('one that is there and no good is a problem, and the last good one stays', async (context) => {
    const { folder, source } = await local(context);
    await writeFiles(folder, { 'policies/policy.wasm': MODULE });
    await source.start();
    await rm(join(folder, 'policies/policy.wasm'));
    await writeFiles(folder, { 'policies/policy.rego': 'broken' });
    await source.reload();
    assert.equal(source.current, '8 bytes');
    assert.match(source.problem?.[0] ?? '', /no compiler/);
  });

  test('where it may not be absent, that is a problem as ever', async (context) => {
    const { source } = await local(context, false);
    await source.start();
    assert.equal(source.current, undefined);
    assert.notEqual(source.problem, undefined);
  });
});

/** A source whose value is the data of the bundle, or `none`; asked every minute. */
function served(isOptional = true) {
  const server = createScriptedBundleServer();
  const clock = createDrivenClock();
  const changes: unknown[] = [];
  const problems: (Problems | undefined)[] = [];
  const source = createBundleServerSource<unknown>(
    { name: 'agents', where: 'https://b.test/agents' },
    { minDelayMs: 60_000, maxDelayMs: 120_000, longPollingMs: undefined },
    {
      server,
      judge: createArchiveJudge(() => Promise.resolve(ok(undefined))),
      store: undefined,
      descriptors: () => Promise.resolve(ok(undefined)),
      compile: () => Promise.resolve(err(['no compiler'])),
      activate: (revision) => Promise.resolve(ok(revision.data)),
      clock,
      random: (length) => new Uint8Array(length),
      timer: clock.timer,
      onChange: (value) => changes.push(value),
      onProblem: (found) => problems.push(found),
      onWarning: () => {},
      ...(isOptional && { absent: () => NONE }),
    },
  );
  const next = async (answer: Parameters<typeof server.answer>[0], pauseMs = 60_000): Promise<void> => {
    await until('the pause', () => clock.timers === 1);
    clock.advance(pauseMs);
    await until('a request', () => server.isAsked);
    server.answer(answer);
    await until('the end of it', () => clock.timers === 1);
  };
  return { server, clock, changes, problems, source, next };
}

const NOT_FOUND = refused(404);

describe('a policy of a server that may be absent', () => {
  test('404 is none and no problem, asked again at its turn; it comes, goes and comes again', async () => {
    const { server, source, changes, problems, next } = served();
    const started = source.start();
    await until('a request', () => server.isAsked);
    server.answer(NOT_FOUND);
    await started;
    assert.deepEqual([source.current, source.problem], [undefined, undefined]);
    await next(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"'));
    assert.deepEqual(source.current, { a: 1 });
    await next(NOT_FOUND);
    assert.equal(source.current, NONE);
    await next(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"'));
    assert.deepEqual(source.current, { a: 1 });
    assert.deepEqual(changes, [{ a: 1 }, NONE, { a: 1 }]);
    assert.deepEqual(problems, []);
    source.stop();
  });

  test('after a 404 the bundle is asked for whatever it is', async () => {
    const { server, source, next } = served();
    const started = source.start();
    await until('a request', () => server.isAsked);
    server.answer(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"'));
    await started;
    await next(NOT_FOUND);
    await next(NOT_FOUND);
    assert.deepEqual(
      server.asks.map(({ etag }) => etag),
      [undefined, '"1"', undefined],
    );
    source.stop();
  });

  test('any other failure keeps what is in force, and is a problem', async () => {
    const { server, source, problems, next } = served();
    const started = source.start();
    await until('a request', () => server.isAsked);
    server.answer(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"'));
    await started;
    await next(refused(503));
    assert.deepEqual(source.current, { a: 1 });
    assert.equal(problems.length, 1);
    source.stop();
  });

  test('where it may not be absent, a 404 is a problem and the last good one stays', async () => {
    const { server, source, problems, next } = served(false);
    const started = source.start();
    await until('a request', () => server.isAsked);
    server.answer(archiveAnswer(snapshotArchive({ data: { a: 1 } }), '"1"'));
    await started;
    await next(NOT_FOUND);
    assert.deepEqual(source.current, { a: 1 });
    assert.equal(problems.length, 1);
    source.stop();
  });
});
