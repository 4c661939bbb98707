import { readRedirectPlan } from '../../core/injection/redirect-plan.ts';
import { redirectRules, TABLE } from '../../core/injection/redirect-rules.ts';
import { createNetfilter } from '../../io/programs/nft.ts';
import { EXIT } from '../exit-codes.ts';
import { inert } from '../terminal.ts';

import type { RedirectPlan } from '../../core/injection/redirect-plan.ts';
import type { NetfilterFault } from '../../io/programs/nft.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

const VARIABLE = 'SALLYPORT_REDIRECT';

/** `sallyport redirect`: what the init container of an injected pod does. Exit 0 only where the rules stand as they were asked for. */
export async function redirect(print: boolean, terminal: Terminal): Promise<ExitCode> {
  const fail = (message: string, code: ExitCode): ExitCode => {
    terminal.err(terminal.style('err', 'red', `sallyport redirect: ${inert(message)}`));
    return code;
  };
  const text = terminal.env[VARIABLE];
  if (text === undefined)
    return fail(`${VARIABLE} is not set; the injector sets it in the init container`, EXIT.wrongUse);
  const plan = readRedirectPlan(text);
  if (!plan.ok) return fail(`${VARIABLE}: ${plan.error}`, EXIT.wrongUse);
  const rules = redirectRules(plan.value);
  if (print) {
    terminal.out(rules.trimEnd());
    return EXIT.done;
  }
  const standing = await createNetfilter().enforce(rules, { family: 'inet', name: TABLE });
  if (!standing.ok) return fail(`${meaning(standing.error)} (${standing.error.detail})`, EXIT.outside);
  terminal.out(`${summary(plan.value)}; ${standing.value} rules stand`);
  return EXIT.done;
}

function summary({ inbound, outbound, open }: RedirectPlan): string {
  const guarded = inbound.map(({ port, to }) => `${port}->${to}`).join(' ');
  const left = open.length === 0 ? '' : `, left open: ${open.join(' ')}`;
  return `inbound: ${guarded === '' ? 'nothing to guard' : guarded}${left}, the rest closed; outbound: ${called(outbound)}`;
}

function called({ capture, ports, to }: RedirectPlan['outbound']): string {
  switch (capture) {
    case 'none':
      return 'nothing captured';
    case 'declared':
      return ports.length === 0 ? 'nothing captured' : `${ports.join(' ')}->${to}`;
    case 'all':
      return `all TCP->${to}`;
    default:
      return capture satisfies never;
  }
}

/** What is wrong, and what to try. */
function meaning({ kind }: NetfilterFault): string {
  switch (kind) {
    case 'no_nft':
      return 'there is no nft; the image of Sallyport has it in /usr/sbin';
    case 'not_permitted':
      return 'the kernel does not permit it; the init container needs root and the capability NET_ADMIN, which the Pod Security profiles baseline and restricted forbid: exempt the namespace, or install with capture: plain';
    case 'kernel_lacks':
      return 'the kernel lacks what the rules need (nf_tables with nat: modules nf_tables, nft_chain_nat, nft_redir, nft_ct); load them on the node, or install with capture: plain';
    case 'not_taken':
      return 'the rules were not taken';
    case 'not_standing':
      return 'other rules stand than were asked for; something else writes to the table inet sallyport of this pod';
    default:
      return kind satisfies never;
  }
}
