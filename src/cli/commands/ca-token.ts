import { createRandom, systemClock } from '../../app/system.ts';
import { openAuthorityStore } from '../../io/authority/authority-store.ts';
import { createJoinToken } from '../../io/authority/join-token.ts';
import { EXIT } from '../exit-codes.ts';
import { inert } from '../terminal.ts';

import type { ExitCode } from '../exit-codes.ts';
import type { CaTokenOptions } from '../define-ca.ts';
import type { Terminal } from '../terminal.ts';

/** `sallyport ca token`: the token alone on stdout, so that it can be written into a file. */
export function token(options: CaTokenOptions, terminal: Terminal): ExitCode {
  const store = openAuthorityStore(options.dir);
  try {
    const made = createJoinToken(
      store,
      { spiffeId: options.id, ttlMs: options.ttl },
      { clock: systemClock, random: createRandom() },
    );
    if (!made.ok) {
      terminal.err(terminal.style('err', 'red', `sallyport: ${inert(made.error)}`));
      return EXIT.wrongUse;
    }
    const expires = new Date(made.value.expiresMs).toISOString();
    if (options.json === true) terminal.out(JSON.stringify({ ...made.value, expires }));
    else terminal.out(made.value.token);
    terminal.err(`enrols one agent as ${options.id}, once, until ${expires}`);
    return EXIT.done;
  } finally {
    store.close();
  }
}
