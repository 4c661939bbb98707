import assert from 'node:assert/strict';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import fc from 'fast-check';

import { err, ok } from '../../../src/core/kernel/result.ts';
import { createIdentitySource } from '../../../src/io/sources/identity-source.ts';
import { createPolicySource } from '../../../src/io/sources/policy-source.ts';
import { createAuthority } from '../../support/pki.ts';
import { systemClock } from '../../support/system-clock.ts';
import { replaceFile, tempFolder, writeFiles } from '../../support/temp-folder.ts';

import type { IdentitySnapshot } from '../../../src/io/sources/identity-source.ts';
import type { PolicyRevision } from '../../../src/io/sources/policy-revision.ts';

const authority = createAuthority();
const stranger = createAuthority();
/** Certificates and keys that belong together by their index. */
const pairs = ['a', 'b', 'c'].map((name) => authority.issue({ id: `spiffe://example.org/${name}` }));

/** Looks happen when the test reloads and at no other time: events while it writes would let a state between two steps be seen. */
const never = (): (() => void) => () => {};

/** One step of somebody who rotates files, carefully or not. */
type Step =
  | { readonly kind: 'certificate' | 'key'; readonly pair: number }
  | { readonly kind: 'bundle'; readonly sound: boolean }
  | { readonly kind: 'crl'; readonly by: 'authority' | 'nobody' }
  | { readonly kind: 'mode'; readonly mode: number }
  | { readonly kind: 'gone' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('certificate' as const, 'key' as const), pair: fc.nat(2) }),
  fc.record({ kind: fc.constant('bundle' as const), sound: fc.boolean() }),
  fc.record({ kind: fc.constant('crl' as const), by: fc.constantFrom('authority' as const, 'nobody' as const) }),
  fc.record({ kind: fc.constant('mode' as const), mode: fc.constantFrom(0o600, 0o644, 0o400) }),
  fc.constant({ kind: 'gone' as const }),
);

/** What stands on disk, as far as it decides whether a snapshot can be made. */
type Disk = { certificate: number; key: number | undefined; bundle: boolean; crl: boolean; mode: number };

function isSound({ certificate, key, bundle, crl, mode }: Disk): boolean {
  return certificate === key && bundle && crl && (mode & 0o004) === 0;
}

test('property: whatever the order of writes, the identity in force is the last one that was whole', async (context) => {
  const folder = await tempFolder(context);
  const at = (name: string): string => join(folder, name);
  const paths = {
    certificate: at('pem'),
    privateKey: at('key'),
    trustBundles: { 'example.org': at('ca') },
    revocationLists: [at('crl')],
  };
  const apply = async (disk: Disk, next: Step): Promise<void> => {
    switch (next.kind) {
      case 'certificate':
        disk.certificate = next.pair;
        return replaceFile(paths.certificate, pairs[next.pair]?.chainPem ?? '');
      case 'key':
        Object.assign(disk, { key: next.pair, mode: 0o600 });
        return replaceFile(paths.privateKey, pairs[next.pair]?.keyPem ?? '');
      case 'bundle':
        disk.bundle = next.sound;
        return replaceFile(
          paths.trustBundles['example.org'],
          next.sound ? authority.bundlePem + stranger.bundlePem : 'none',
        );
      case 'crl':
        disk.crl = next.by === 'authority';
        return replaceFile(
          paths.revocationLists[0] ?? '',
          disk.crl ? authority.crl({ revoked: [BigInt(disk.mode)] }).pem : 'none',
        );
      case 'mode':
        if (disk.key === undefined) return undefined;
        disk.mode = next.mode;
        return chmod(paths.privateKey, next.mode);
      case 'gone':
        disk.key = undefined;
        return rm(paths.privateKey, { force: true });
      default:
        return next satisfies never;
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const disk: Disk = { certificate: 0, key: 0, bundle: true, crl: true, mode: 0o600 };
      const start: Step[] = [
        { kind: 'certificate', pair: 0 },
        { kind: 'key', pair: 0 },
        { kind: 'bundle', sound: true },
        { kind: 'crl', by: 'authority' },
      ];
      for (const first of start) await apply(disk, first);
      const source = createIdentitySource(paths, { clock: systemClock, timer: never });
      await source.start();
      let expected = pathOf(source.current);
      for (const next of steps) {
        await apply(disk, next);
        await source.reload();
        if (isSound(disk)) expected = `/${'abc'[disk.certificate]}`;
        assert.equal(source.problem === undefined, isSound(disk), `${next.kind}: ${source.problem?.join()}`);
        assert.equal(pathOf(source.current), expected);
        assertWhole(source.current);
      }
      source.stop();
    }),
    { numRuns: 25 },
  );
});

function pathOf(snapshot: IdentitySnapshot | undefined): string | undefined {
  return snapshot?.own.path;
}

/** Promise: no snapshot ever holds a key that is not that of its certificate. */
function assertWhole(snapshot: IdentitySnapshot | undefined): void {
  assert.ok(snapshot !== undefined);
  assert.ok(new X509Certificate(snapshot.certificateChain).checkPrivateKey(createPrivateKey(snapshot.privateKey)));
}

test('property: whatever the order of writes, the policy in force is the last one that was accepted', async (context) => {
  const root = await tempFolder(context);
  let runs = 0;
  const change = fc.record({
    module: fc.constantFrom('one', 'two', 'refused', undefined),
    data: fc.constantFrom('{"a":1}', '{"a":2}', '{', undefined),
    manifest: fc.constantFrom('{"revision":"r1"}', '{"revision":"r2"}', '[]', undefined),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 8 }), async (changes) => {
      const folder = join(root, String((runs += 1)));
      const disk = { module: 'one', data: '{"a":1}', manifest: '{"revision":"r1"}' };
      const source = createPolicySource<PolicyRevision>(
        { bundle: folder },
        {
          timer: never,
          compile: () => Promise.resolve(err(['there is nothing to compile'])),
          activate: (revision) =>
            Promise.resolve(Buffer.from(revision.wasm).toString() === 'refused' ? err(['refused']) : ok(revision)),
        },
      );
      let expected: string | undefined;
      for (const next of [disk, ...changes]) {
        Object.assign(disk, Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined)));
        await writeFiles(folder, { 'policy.wasm': disk.module, 'data.json': disk.data, '.manifest': disk.manifest });
        await source.reload();
        const sound = disk.module !== 'refused' && disk.data !== '{' && disk.manifest !== '[]';
        if (sound)
          expected = [disk.module, disk.data, (JSON.parse(disk.manifest) as { revision: string }).revision].join(' ');
        assert.equal(source.problem === undefined, sound, source.problem?.join() ?? 'no problem');
        const revision = Object.values(source.current?.bundles ?? {})[0]?.revision;
        const shown = [
          Buffer.from(source.current?.wasm ?? []).toString(),
          JSON.stringify(source.current?.data),
          revision,
        ].join(' ');
        assert.equal(shown, expected);
      }
      source.stop();
    }),
    { numRuns: 40 },
  );
});
