/**
 * Loaded before every test file (`npm test`). With `PROPERTY_SEED` set, property tests repeat the same cases: CI judges a change, not the dice. Without it
 * every run explores new ones; what it finds is printed with its seed.
 */
/** The seed of this run; NaN where every run has its own. */
export const PROPERTY_SEED = Number(process.env['PROPERTY_SEED'] ?? Number.NaN);

if (Number.isInteger(PROPERTY_SEED)) {
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: PROPERTY_SEED });
}
