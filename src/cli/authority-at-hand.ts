import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { caDeps } from '../app/ca-keys.ts';
import { DATABASE_FILE, openAuthorityStore } from '../io/authority/authority-store.ts';
import { EXIT } from './exit-codes.ts';
import { inert } from './terminal.ts';

import type { Result } from '../core/kernel/result.ts';
import type { AuthorityStore } from '../io/authority/authority-store.ts';
import type { CaDeps, IssuingRequest } from '../io/authority/issuing-ca.ts';
import type { CaOptions, NewIssuingOptions } from './ca-options.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** The authority of a folder, with what it takes to change it. */
export type AuthorityAtHand = {
  readonly store: AuthorityStore;
  readonly deps: CaDeps;
  /** Passes on what was tried; where it failed, that was for a reason outside. */
  readonly outside: <T>(result: Result<T, string>) => Result<T, string>;
};

/** What a command has to tell. */
export type Told = {
  /** For stdout with `--json`, and without: one line each. */
  readonly json: object;
  readonly lines: readonly string[];
  /** For stderr: what was done, and what to do next. */
  readonly advice?: readonly (string | undefined)[];
  /** What could not be done besides, for a reason outside: exit 3, after all else was printed. */
  readonly problem?: string | undefined;
};

type Action = (atHand: AuthorityAtHand) => Promise<Result<Told, string>> | Result<Told, string>;

/**
 * Opens the authority of `--dir`, runs an action over it, and prints what it tells. Exit 2 where the action is refused, 3 where files, keys or the
 * database were in the way. `isNew`: the folder may be empty.
 */
export async function withAuthority(
  options: CaOptions,
  terminal: Terminal,
  action: Action,
  isNew = false,
): Promise<ExitCode> {
  if (!isNew && !existsSync(join(options.dir, DATABASE_FILE)))
    return wrong(`there is no authority in ${options.dir}; \`sallyport ca init\` makes one`, EXIT.wrongUse, terminal);
  const outside = new Outside();
  const deps = await caDeps(options.dir, options.passphrase);
  if (!deps.ok) return wrong(deps.error, EXIT.outside, terminal);
  try {
    const store = outside.store(openAuthorityStore(options.dir));
    try {
      const openKey: CaDeps['openKey'] = async (reference) => outside.note(await deps.value.openKey(reference));
      const told = await action({ store, deps: { ...deps.value, openKey }, outside: (result) => outside.note(result) });
      return told.ok ? print(told.value, options, terminal) : wrong(told.error, outside.exit(told.error), terminal);
    } finally {
      store.close();
    }
  } catch (error) {
    return wrong(error instanceof Error ? error.message : 'failed', EXIT.outside, terminal);
  }
}

/** The issuing CA that is asked for by options. */
export function issuingRequest({ issuingKey, issuingTtl, keyType }: NewIssuingOptions): IssuingRequest {
  const reference = fileOption(issuingKey);
  const key =
    reference === undefined ? { kind: 'new' as const, keyKind: keyType } : { kind: 'existing' as const, reference };
  return { ttlMs: issuingTtl, key };
}

/** A path of an option: it counts from where the command runs, not from the folder of the authority. */
export function fileOption(path: string | undefined): string | undefined {
  return path && resolve(path);
}

/** Tells trouble from outside from what was refused. */
class Outside {
  #isMet = false;

  note<T>(result: Result<T, string>): Result<T, string> {
    if (!result.ok) this.#isMet = true;
    return result;
  }

  store(store: AuthorityStore): AuthorityStore {
    return {
      folder: store.folder,
      read: (action) => this.note(store.read(action)),
      write: (action) => this.note(store.write(action)),
      changedElsewhere: () => store.changedElsewhere(),
      close: () => store.close(),
    };
  }

  /** Texts of the file system begin with its code. */
  exit(detail: string): ExitCode {
    return this.#isMet || /^E[A-Z]{2,}: /.test(detail) ? EXIT.outside : EXIT.wrongUse;
  }
}

function print({ json, lines, advice = [], problem }: Told, options: CaOptions, terminal: Terminal): ExitCode {
  if (options.json === true) terminal.out(JSON.stringify(json));
  else for (const line of lines) terminal.out(inert(line));
  for (const line of advice) if (line !== undefined) terminal.err(inert(line));
  return problem === undefined ? EXIT.done : wrong(problem, EXIT.outside, terminal);
}

function wrong(detail: string, code: ExitCode, terminal: Terminal): ExitCode {
  terminal.err(terminal.style('err', 'red', `sallyport: ${inert(detail)}`));
  return code;
}
