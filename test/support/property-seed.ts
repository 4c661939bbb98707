/**
 * Loaded before every test file (`npm test`). With `PROPERTY_SEED` set, property tests repeat the same cases: CI judges a change, not the dice. Without it
 * every run explores new ones; what it finds is printed with its seed.
 */
const seed = Number(process.env['PROPERTY_SEED'] ?? Number.NaN);
if (Number.isInteger(seed)) {
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
}

export {};
