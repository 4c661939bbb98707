#!/usr/bin/env node
// The `sallyport` command. Plain JavaScript: it may be started by an older Node, finds the pinned one and hands over to it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pinnedNode, REQUIRED_MAJOR } from './pinned-node.js';

const source = fileURLToPath(new URL('./main.ts', import.meta.url));
const compiled = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const main = existsSync(source) ? source : compiled;
const major = Number(process.versions.node.split('.')[0]);

if (major === REQUIRED_MAJOR) {
  process.argv[1] = main;
  await import(new URL(`file://${main}`));
} else {
  const binary = pinnedNode();
  if (binary === undefined) {
    console.error(
      `sallyport: needs Node ${REQUIRED_MAJOR}, this is ${process.version}, and no pinned Node was installed with the package.`,
    );
    process.exit(3);
  }
  const child = spawn(binary, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // What is typed at a terminal reaches the command by itself; passed on it would come twice, and a second SIGINT means "at once".
  const typed = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY ? ['SIGINT', 'SIGQUIT'] : [];
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => {
      if (!typed.includes(signal)) child.kill(signal);
    });
  }
  child.on('exit', (code, signal) => {
    if (signal !== null) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exitCode = code ?? 3;
  });
}
