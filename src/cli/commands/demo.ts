import { runDemo } from '../../app/demo.ts';
import { exitCode } from '../exit-codes.ts';

import type { ExitCode } from '../exit-codes.ts';

/** `sallyport demo`. */
export async function demo(once: boolean): Promise<ExitCode> {
  return exitCode(await runDemo({ once }));
}
