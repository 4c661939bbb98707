import * as z from 'zod';

import { flag, mapOf, section } from './fields.ts';

/** `paths` of a listener, inbound or outbound: `PathTolerance`. */
export const pathsSection = section({
  encodedSlashes: flag().prefault(false).describe('Accept `%2F` and `%5C` in paths.'),
  doubleSlashes: flag().prefault(false).describe('Accept `//` in paths.'),
  matrixParameters: flag().prefault(false).describe('Accept `;` in paths.'),
})
  .prefault({})
  .describe('What is accepted although two readers could read it differently. Policy sees exactly what is forwarded.');

/** `contextExtensions` of a listener. */
export const contextExtensionsSection = mapOf('a name', /^[^\0]{1,256}$/, z.string({ error: 'text' }))
  .prefault({})
  .describe('Fixed text that the policy finds in `input.attributes.contextExtensions`.');
