import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { createRegoCompiler } from '../../src/io/rego/compiler.ts';
import { nativeOpa, needsNativeOpa } from '../support/native-opa.ts';

import type { Build } from '../../src/io/rego/build.ts';

const run = promisify(execFile);
const compiler = createRegoCompiler();
after(() => compiler.stop());

interface Policy {
  readonly files: Readonly<Record<string, string>>;
  readonly entrypoints: readonly string[];
  readonly v0?: true;
}

const policies: Readonly<Record<string, Policy>> = {
  'one rule': { files: { 'policy.rego': 'package a\n\nallow if input.x == 1\n' }, entrypoints: ['a/allow'] },
  'several packages, data in folders, annotations, regular expressions and globs': {
    files: {
      'x/policy.rego': `package a

import data.lib

default allow := false

allow if {
	some role in input.roles
	lib.known(role)
	regex.match("^[a-z]+$", role)
}

allow if glob.match("*.example.org", ["."], input.host)
`,
      'lib/lib.rego': `# METADATA
# description: a library
package lib

known(role) if role in data.d.roles

# METADATA
# title: roles
# entrypoint: true
all contains role if some role in data.d.roles
`,
      'd/data.json': '{"roles": ["a", "b<&>"], "n": 12345678901234567890}',
      'e/data.yaml': 'k: [1, 2.50, {a: b}]\n',
      '.manifest': '{"revision": "r7", "roots": ["a", "lib", "d", "e"], "metadata": {"owner": "x"}}',
    },
    entrypoints: ['a/allow', 'a'],
  },
  'conflicts with their places, built-ins of the host, partial objects, comprehensions, every, with': {
    files: {
      'deep/er/p.rego': `package a

x := 1 if input.q

x := 2 if input.r

f(y) := 1 if y > 1

f(y) := "small" if y < 1

v := f(input.z)

t := sprintf("%d %v", [1, time.now_ns()])

m[k] := n if some k, n in input.o

c := {k: s | some k, l in input.lists; s := sum([n | some n in l])}

e if every n in input.ns { n > count(c) }

w := y if y := v with input.z as 5
`,
    },
    entrypoints: ['a'],
  },
  'version 0 of the language': {
    files: { 'p.rego': 'package a\n\nallow { input.x; count(deny) == 0 }\n\ndeny[m] { m := input.m }\n' },
    entrypoints: ['a/allow', 'a/deny'],
    v0: true,
  },
};

/** The files of the bundles that the native command builds for both targets. */
async function buildNatively(
  policy: Policy,
): Promise<{ readonly wasm: string; readonly plan: string; end(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'opa-native-'));
  for (const [path, text] of Object.entries(policy.files)) {
    await mkdir(dirname(join(folder, 'in', path)), { recursive: true });
    await writeFile(join(folder, 'in', path), text);
  }
  const options = ['--bundle', '.', '--prune-unused', ...policy.entrypoints.flatMap((name) => ['-e', name])];
  if (policy.v0) options.push('--v0-compatible');
  for (const target of ['wasm', 'plan']) {
    await mkdir(join(folder, target));
    const archive = join(folder, `${target}.tar.gz`);
    await run(nativeOpa ?? 'opa', ['build', '-t', target, '-o', archive, ...options], { cwd: join(folder, 'in') });
    await run('tar', ['-xzf', archive, '-C', join(folder, target)]);
  }
  const end = (): Promise<void> => rm(folder, { recursive: true, force: true });
  return { wasm: join(folder, 'wasm'), plan: join(folder, 'plan'), end };
}

function text(folder: string, file: string): Promise<string> {
  return readFile(join(folder, file), 'utf8');
}

async function buildHere(policy: Policy): Promise<Build> {
  const { files, entrypoints, v0 } = policy;
  const built = await compiler.build({ files, entrypoints, regoVersion: v0 ? 0 : 1 });
  assert.ok(built.ok, JSON.stringify(built));
  return built.value;
}

if (needsNativeOpa.skip !== false) process.stderr.write(`\n*** SKIPPED: ${needsNativeOpa.skip}\n\n`);

describe('the files of a bundle are byte for byte those of the native opa build', needsNativeOpa, () => {
  for (const [name, policy] of Object.entries(policies)) {
    test(name, async () => {
      const [here, native] = [await buildHere(policy), await buildNatively(policy)];
      try {
        assert.ok((await readFile(join(native.wasm, 'policy.wasm'))).equals(here.policyWasm));
        assert.equal(here.planJson, await text(native.plan, 'plan.json'));
        assert.equal(here.dataJson, await text(native.wasm, 'data.json'));
        assert.equal(here.manifestJson, await text(native.wasm, '.manifest'));
      } finally {
        await native.end();
      }
    });
  }
});
