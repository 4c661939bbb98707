/**
 * Node's flags of every process that is counted. V8 interprets what is written, and optimises nothing: what an optimiser saves depends on when it ran, and so
 * on the machine. The figures are therefore greater than what a warm process needs, and the same everywhere. WebAssembly is compiled all the same.
 */
export const STEADY_FLAGS: readonly string[] = [
  '--expose-gc',
  '--min-semi-space-size=64',
  '--max-semi-space-size=64',
  '--no-opt',
  '--no-maglev',
  '--no-sparkplug',
  '--no-flush-bytecode',
  '--disable-warning=ExperimentalWarning',
];
