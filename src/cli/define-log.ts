import { command } from './define.ts';
import { count } from './option-values.ts';

import type { Command } from 'commander';
import type { Definer, Json } from './define.ts';

export type LogVerifyOptions = Json & { readonly from?: string };
export type LogShowOptions = Json & {
  readonly verdict?: string;
  readonly peer?: string;
  readonly id?: string;
  readonly last?: number;
  readonly candidateDiffers?: true;
};

/** `sallyport log …`. */
export function defineLog(program: Command, { act, terminal }: Definer): void {
  const example = 'sallyport log verify decisions.log\nsallyport log show decisions.log --verdict deny';
  const log = command(program, 'log', 'Read decision logs.', example);

  const verify = 'sallyport log verify decisions.log.1 decisions.log';
  command(log, 'verify', 'Verify that no line was changed, removed or reordered.', verify)
    .argument('<file...>', 'files of decision records, oldest first; - is stdin')
    .option('--from <hash>', 'the hash that the first line must follow')
    .option('--json', 'print as JSON')
    .action(
      act(async (files: string[], options: LogVerifyOptions) => {
        return (await import('./commands/log-verify.ts')).logVerify(files, options, terminal);
      }),
    );

  command(log, 'show', 'Show decisions, one a line.', 'sallyport log show decisions.log --verdict deny --last 20')
    .argument('<file>', 'file of decision records; - is stdin')
    .option('--verdict <verdict>', 'only allow, deny or would-deny')
    .option('--peer <spiffe-id>', 'only of this peer')
    .option('--id <decision-id>', 'only the one that a caller was told')
    .option('--candidate-differs', 'only those that the candidate policy would have decided otherwise')
    .option('--last <count>', 'only the last ones', count)
    .option('--json', 'print the records as they are')
    .action(
      act(async (file: string, options: LogShowOptions) => {
        return (await import('./commands/log-show.ts')).logShow(file, options, terminal);
      }),
    );
}
