import { readArtefact, readArtefactFacts } from '../artefact.ts';

import { buildModule, digestOfSources, goMissing, readPinned, sha256 } from './toolchain.ts';

/**
 * `npm run rego:verify`: is the committed compiler what the Go sources beside this file give? Exits 1 if it is not. Where the
 * pinned Go is not to be had, only what needs no Go is checked, and that is said aloud.
 */
const pinned = await readPinned();
const facts = await readArtefactFacts();
check('the committed module', sha256(await readArtefact()), facts.sha256);
check('the Go sources', await digestOfSources(), facts.sourcesSha256);
check('the version of OPA', pinned.opa, facts.opa);
check('the version of Go', pinned.go, facts.go);

const missing = await goMissing(pinned);
if (missing === undefined) check('the module rebuilt from source', sha256(await buildModule(pinned)), facts.sha256);
else say(`SKIPPED, NOT VERIFIED: the module was not rebuilt, because ${missing}`);

function check(what: string, found: string, expected: string): void {
  if (found === expected) {
    say(`${what}: ${found}, as recorded`);
    return;
  }
  say(`${what}: ${found} does not match the recorded ${expected}; run npm run rego:build`);
  process.exitCode = 1;
}

function say(line: string): void {
  process.stderr.write(`rego:verify: ${line}\n`);
}
