import nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

import { EXIT } from './exit-codes.ts';

/** Type stripping, `node:http2`'s handshake on a socket and others are those of this version; the launcher finds it (`pinned-node.js`). */
const REQUIRED_MAJOR = 26;

/**
 * In a clone, stripped and compiled sources are kept from one start to the next: half the CPU of a start. The cache lies within the clone:
 * whoever can write it can write the code as well, which is not so in the folder for temporary files that Node would take.
 */
function keepCompiledSources(): void {
  if (import.meta.url.endsWith('.ts'))
    nodeModule.enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/sallyport', import.meta.url)));
}

if (Number(process.versions.node.split('.')[0]) === REQUIRED_MAJOR) {
  keepCompiledSources();
  const { createTerminal } = await import('./terminal.ts');
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(process.argv.slice(2), createTerminal());
  // Whatever is still open (a compiler's worker, a kept connection) does not keep a finished command alive.
  setTimeout(() => process.exit(), 1_000).unref();
} else {
  console.error(
    `sallyport: needs Node ${REQUIRED_MAJOR}, this is ${process.version}; \`npx sallyport\` finds the right one.`,
  );
  process.exitCode = EXIT.outside;
}
