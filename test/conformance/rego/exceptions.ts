/** A case of OPA's suite that does not hold here. */
export type Exception = {
  /** File of the suite and position in it, since notes are not unique. */
  readonly place: string;
  readonly kind: ExceptionKind;
};

/** The causes, each with what stands in the documentation. */
export const CAUSES = {
  network:
    'Refused on purpose, mocked or not: `http.send` and `net.lookup_ip_addr` would make a decision wait for the network.',
  surroundings:
    "Refused on purpose: `opa.runtime` and `rego.parse_module` need OPA's process or parser in the middle of a decision.",
  numbers:
    'OPA\'s own WASM target fails it too, [#3711](https://github.com/open-policy-agent/opa/issues/3711): the runtime inside a module has no integers beyond 64 bits, and does not find `data[2]` under the key `"2"`.',
  exponent:
    "OPA's own WASM target fails it too (`exceptions.yaml` of its end-to-end tests; no issue): the JSON reader inside a module has no limit on exponents.",
  whole:
    'Cannot be asked of a compiled policy: `data` as a whole would hold the rule that asks. An entrypoint is a rule or a package.',
  suite: "Needs `test.sleep`, a built-in that only the process of OPA's own tests has.",
} as const;

export type ExceptionKind = keyof typeof CAUSES;

/** Every case that does not hold, with its cause. One that holds after all fails the run. */
export const EXCEPTIONS: readonly Exception[] = [
  { place: 'dataderef/test-data-derefs.yaml#1', kind: 'numbers' },
  { place: 'dataderef/test-data-derefs.yaml#2', kind: 'numbers' },
  { place: 'fix1863/test-fix1863-0706.yaml#1', kind: 'whole' },
  { place: 'invalidkeyerror/test-invalidkeyerror-0176.yaml#1', kind: 'network' },
  { place: 'invalidkeyerror/test-invalidkeyerror-0177.yaml#1', kind: 'network' },
  { place: 'jsonbuiltins/test-json-unmarshal-number-range.yaml#1', kind: 'exponent' },
  { place: 'jsonbuiltins/test-json-unmarshal-number-range.yaml#2', kind: 'exponent' },
  { place: 'netlookupipaddr/test-netlookupipaddr.yaml#1', kind: 'network' },
  { place: 'netlookupipaddr/test-netlookupipaddr.yaml#2', kind: 'network' },
  { place: 'netlookupipaddr/test-netlookupipaddr.yaml#3', kind: 'network' },
  { place: 'regoparsemodule/test-regoparsemodule-0320.yaml#1', kind: 'surroundings' },
  { place: 'regoparsemodule/test-regoparsemodule-0321.yaml#1', kind: 'surroundings' },
  { place: 'strings/test-strings-format-int-bignum.yaml#1', kind: 'numbers' },
  { place: 'time/test-time-0947.yaml#1', kind: 'suite' },
  { place: 'topdowndynamicdispatch/test-topdowndynamicdispatch-1068.yaml#1', kind: 'whole' },
  { place: 'withkeyword/test-with-builtin-mock.yaml#7', kind: 'network' },
  { place: 'withkeyword/test-with-builtin-mock.yaml#8', kind: 'network' },
  { place: 'withkeyword/test-with-builtin-mock.yaml#25', kind: 'surroundings' },
];
