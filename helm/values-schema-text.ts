import { jsonSchemaOf } from '../src/core/config/json-schema.ts';
import { valuesSchema } from './values-schema.ts';

/** A repetition that Go's regular expressions refuse: they count to 1,000. */
const LONG_REPETITION = /\{([0-9]+),[0-9]{4,}\}/g;

/**
 * `values.schema.json` as it is committed: Helm reads it, and editors do. Helm is Go; a bound that it cannot count to is left to the program, which
 * reads the same settings again.
 */
export function valuesSchemaText(): string {
  const schema = { title: 'Values of the chart sallyport', ...jsonSchemaOf(valuesSchema) };
  return `${JSON.stringify(schema, forGo, 2)}\n`;
}

function forGo(key: string, value: unknown): unknown {
  return key === 'pattern' && typeof value === 'string' ? value.replaceAll(LONG_REPETITION, '{$1,}') : value;
}
