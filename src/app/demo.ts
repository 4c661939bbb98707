import { locateClone } from './demo-clone.ts';

/** Exit code where something of the demo is missing or could not start. */
const OUTSIDE = 3;

/**
 * The demo: real agents behind real sidecars, called by three identities; prints what was decided. Resolves with the exit code: 0 when every
 * decision was the expected one, 1 when one was not, 3 when something could not start or was interrupted before the end.
 * `once`: ends after the table; otherwise it stays up until SIGINT or SIGTERM.
 */
export async function runDemo(options: { readonly once: boolean }): Promise<number> {
  const clone = locateClone();
  if (!clone.ok) {
    process.stderr.write(`${clone.error}\n`);
    return OUTSIDE;
  }
  // Only here: it stands on development dependencies, which an installed package does not have.
  const { playDemo } = await import('./demo-play.ts');
  return playDemo(clone.value, options.once);
}
