/** Why a case of OPA's suite does not hold here. */
export type Exception = {
  /** Group and note of the case; all cases of that note are meant. */
  readonly group: string;
  readonly note: string;
  readonly kind: ExceptionKind;
  /** The cause, for the table in the documentation. */
  readonly reason: string;
};

export type ExceptionKind =
  | 'needs the network'
  | 'nondeterministic'
  | "OPA's own WASM target fails it too"
  | 'refused by us on purpose';

/** Every case that does not hold, each with its cause. One that holds after all is an error of this list. */
export const EXCEPTIONS: readonly Exception[] = [];
