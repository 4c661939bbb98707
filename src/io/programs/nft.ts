import { access, constants } from 'node:fs/promises';

import { err, ok } from '../../core/kernel/result.ts';
import { difference, readNftObjects } from './nft-listing.ts';
import { programFaultText, runProgram } from './run-program.ts';

import type { Result } from '../../core/kernel/result.ts';
import type { ProgramEnvironment, ProgramFault } from './run-program.ts';

/** Where the table of rules stands. */
export type NftTable = { readonly family: 'inet'; readonly name: string };

/** Why rules are not in force. */
export type NetfilterFault =
  | { readonly kind: 'no_nft'; readonly detail: string }
  | { readonly kind: 'not_permitted'; readonly detail: string }
  | { readonly kind: 'kernel_lacks'; readonly detail: string }
  /** nft or the kernel did not take them for another reason. */
  | { readonly kind: 'not_taken'; readonly detail: string }
  /** They were taken, and other ones stand: somebody else writes to the same table. */
  | { readonly kind: 'not_standing'; readonly detail: string };

/** The packet filter of the network namespace that this process is in. */
export interface Netfilter {
  /**
   * Puts rules (nft's own syntax) in force in one transaction, then lists their table and compares: whole and as asked, or a fault. Gives how many rules stand.
   */
  enforce(rules: string, table: NftTable): Promise<Result<number, NetfilterFault>>;
}

export type NetfilterConfig = {
  /** Path of nft; by default the first of /usr/sbin/nft, /sbin/nft and /usr/local/sbin/nft. */
  readonly program?: string | undefined;
};

const PLACES = ['/usr/sbin/nft', '/sbin/nft', '/usr/local/sbin/nft'] as const;

/** Loading a table takes milliseconds; a kernel that has to load its modules first takes seconds. */
const TIMEOUT_MS = 20_000;
const MAX_OUTPUT = 4 * 1_048_576;

/** nft inherits nothing: no path, no locale that would translate its messages. */
const ENVIRONMENT: ProgramEnvironment = { LC_ALL: 'C' };

/** Creates what speaks to the packet filter through `nft`. Nothing is started before `enforce`. */
export function createNetfilter(config: NetfilterConfig = {}): Netfilter {
  return {
    enforce: async (rules, table) => {
      const program = config.program ?? (await findNft());
      // As an argument: nft opens /dev/stdin by name, which fails for the sockets that Node gives a child in place of pipes.
      const taken = await nft(program, ['-j', '-e', '--', rules]);
      if (!taken.ok) return taken;
      const listed = await nft(program, ['-j', 'list', 'table', table.family, table.name]);
      return listed.ok ? compare(taken.value, listed.value) : listed;
    },
  };
}

async function findNft(): Promise<string> {
  for (const place of PLACES) {
    // oxlint-disable-next-line eslint/no-await-in-loop -- the first that is there
    const isThere = await access(place, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return place;
  }
  return PLACES[0];
}

async function nft(program: string, args: readonly string[]): Promise<Result<string, NetfilterFault>> {
  const limits = { env: ENVIRONMENT, timeoutMs: TIMEOUT_MS, maxOutput: MAX_OUTPUT };
  const ran = await runProgram({ program, args, ...limits });
  return ran.ok ? ran : err(netfilterFault(ran.error));
}

function compare(taken: string, listed: string): Result<number, NetfilterFault> {
  const [asked, standing] = [readNftObjects(taken), readNftObjects(listed)];
  if (!asked.ok) return err({ kind: 'not_taken', detail: asked.error });
  if (!standing.ok) return err({ kind: 'not_standing', detail: standing.error });
  const differs = difference(asked.value, standing.value);
  if (differs !== undefined) return err({ kind: 'not_standing', detail: differs });
  return ok(standing.value.filter((object) => object.startsWith('{"rule"')).length);
}

/** What nft's words mean (nft 1.0 and 1.1; the texts are those of errno). */
function netfilterFault(fault: ProgramFault): NetfilterFault {
  const detail = programFaultText(fault);
  if (fault.kind === 'missing' || fault.kind === 'unstartable') return { kind: 'no_nft', detail };
  if (fault.kind !== 'failed') return { kind: 'not_taken', detail };
  if (/Operation not permitted|Permission denied/.test(fault.detail)) return { kind: 'not_permitted', detail };
  if (
    /(?:not process rule|initialization failed): (?:Operation|Protocol) not supported|not process rule: No such file/.test(
      fault.detail,
    )
  )
    return { kind: 'kernel_lacks', detail };
  return { kind: 'not_taken', detail };
}
