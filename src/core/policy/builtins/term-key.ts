import { goJsonString } from './go-json.ts';
import type { Term } from '../term.ts';

const NUMBER = /^(-?)0*([0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;

/** A text that two values share if, and only if, they are the same Rego value: numbers by value, sets and objects whatever their order. */
export function termKey(term: Term): string {
  switch (term.kind) {
    case 'null':
      return 'null';
    case 'boolean':
      return String(term.value);
    case 'number':
      return numberKey(term.text);
    case 'string':
      return goJsonString(term.value);
    case 'array':
      return `[${term.items.map(termKey).join(',')}]`;
    case 'set':
      return `<${[...new Set(term.items.map(termKey))].toSorted().join(',')}>`;
    case 'object':
      return `{${term.entries
        .map(([key, value]) => `${termKey(key)}:${termKey(value)}`)
        .toSorted()
        .join(',')}}`;
    default:
      return term satisfies never;
  }
}

/** The digits without zeros around them, and the power of ten. */
function numberKey(text: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] = NUMBER.exec(text) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign}${significant}e${Number(power) - fraction.length + digits.length - significant.length}`;
}
