import { createCompilerWorker, defaultLimits } from '../../src/io/rego/compiler-worker.ts';

/**
 * A process that has the stand-in compiler do what its arguments say, one after another. It tells its own parent `asked`
 * when a request is on its way, and the value of each answer.
 */
const script = new URL('./rego-worker-double.ts', import.meta.url);
const worker = createCompilerWorker(defaultLimits, { script });
for (const told of process.argv.slice(2)) {
  const call = worker.call({ operation: 'version', arguments: { do: told } });
  setImmediate(() => process.send?.('asked'));
  const result = await call;
  if (result.kind === 'answered' && result.answer.ok) process.send?.({ value: result.answer.value });
}
