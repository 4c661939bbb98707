import { isTooDeep } from './exact-json.ts';

/** What is wrong with text that is no JSON, with the place where its reader tells it; never what stands there beyond one character. */
export function jsonFault(text: string): string {
  if (isTooDeep(text)) return 'nested deeper than 256 levels';
  if (text.trim() === '') return 'empty; write {} where nothing is to be said';
  if (text.startsWith('\ufeff')) return 'not JSON: it begins with a byte order mark; save it without';
  try {
    JSON.parse(text);
    return 'not JSON';
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const [, what = ''] = /^([^"]*?)(?:,? ?(?:"|\.\.\.|in JSON|is not).*)?$/s.exec(message) ?? [];
    const [, place] = /\((line \d+ column \d+)\)/.exec(message) ?? [];
    return `not JSON${what === '' ? '' : `: ${what}`}${place === undefined ? '' : `, ${place}`}`;
  }
}
