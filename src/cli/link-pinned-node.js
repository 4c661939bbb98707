// Runs after `npm ci` in a clone. npm 10 installs the platform package but does not link its binary, so that scripts would
// silently run on the machine's own Node; the link is made here. Plain JavaScript: it must run on an older Node.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pinnedNode, REQUIRED_MAJOR } from './pinned-node.js';

const binary = pinnedNode();
if (binary === undefined) {
  const own = Number(process.versions.node.split('.')[0]);
  if (own < REQUIRED_MAJOR) {
    console.error(
      `sallyport: no pinned Node ${REQUIRED_MAJOR} for ${process.platform}-${process.arch} was installed ` +
        `(were optional dependencies left out?) and this machine has ${process.version}. Install Node ${REQUIRED_MAJOR}.`,
    );
  }
} else {
  const bin = join(process.cwd(), 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  rmSync(join(bin, 'node'), { force: true });
  symlinkSync(binary, join(bin, 'node'));
}
