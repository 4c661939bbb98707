import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { parse, stringify } from 'yaml';

import { injectPod } from '../../../src/core/injection/inject-pod.ts';
import { FACTS, NAMESPACE, SETTINGS } from './pods.ts';

import type { InjectionSettings } from '../../../src/core/model/injection.ts';

/** A shape that users have: what goes in. Settings are laid over those of `pods.ts`. */
type Shape = {
  readonly about: string;
  readonly namespace?: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly settings?: Partial<InjectionSettings>;
  readonly roots?: string;
  readonly pod: unknown;
};

const FOLDER = join(import.meta.dirname, 'golden');
const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.yaml') && !file.endsWith('.injected.yaml'))
  .map((file) => file.slice(0, -'.yaml'.length));

/** What comes out, with the texts of our containers opened so that a reviewer can read them. */
function outcome({ namespace = NAMESPACE, settings = {}, roots = FACTS.roots, pod }: Shape): unknown {
  const injection = injectPod({ pod, namespace }, { ...SETTINGS, ...settings }, { ...FACTS, roots });
  if (!injection.ok) return { refused: injection.error };
  if (injection.value.kind === 'skipped') return injection.value;
  return { warnings: injection.value.warnings, pod: opened(injection.value.pod) };
}

function opened(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_key, inner: unknown) =>
    typeof inner === 'string' && inner.startsWith('{"') ? { json: JSON.parse(inner) as unknown } : inner,
  );
}

describe('the shapes of pods that users have; UPDATE_GOLDEN=1 writes what comes out', () => {
  test('there are at least 16', () => assert.ok(names.length >= 16, String(names.length)));

  for (const name of names) {
    const shape = parse(readFileSync(join(FOLDER, `${name}.yaml`), 'utf8')) as Shape;
    test(`${name}: ${shape.about}`, () => {
      const file = join(FOLDER, `${name}.injected.yaml`);
      const text = stringify(outcome(shape), { lineWidth: 0, aliasDuplicateObjects: false });
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
      assert.equal(text, readFileSync(file, 'utf8'));
    });
  }
});
