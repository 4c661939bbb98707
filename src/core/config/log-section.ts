import { oneOf, section } from './fields.ts';

/** Words for how much is logged, least first. */
export const logLevel = () => oneOf('debug', 'info', 'warn', 'error', 'silent').prefault('info');

/** `log` of every process's file. `note`: what else there is to say of it. */
export function logSection(note = '') {
  return section({ level: logLevel().describe('Least level that is written to stderr.') })
    .prefault({})
    .describe(`The process log.${note}`);
}
