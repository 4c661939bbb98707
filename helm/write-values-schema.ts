import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { valuesSchemaText } from './values-schema-text.ts';

/** `npm run chart:schema`: writes the JSON Schema of the chart's values beside them. */
await writeFile(join(import.meta.dirname, 'sallyport', 'values.schema.json'), valuesSchemaText());
