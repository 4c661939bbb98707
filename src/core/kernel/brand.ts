declare const brand: unique symbol;

/** A string that only its own parser or maker may produce; keeps one kind of identifier from passing for another. */
export type Branded<Name extends string> = string & { readonly [brand]: Name };

/** `spiffe://trust-domain/path`, already checked (SPIFFE-ID section 2). Made by `identity` only. */
export type SpiffeId = Branded<'SpiffeId'>;

/** Name of a SPIFFE trust domain, lower case, at most 255 bytes. Made by `identity` and `config` only. */
export type TrustDomain = Branded<'TrustDomain'>;

/** Identifier of one connection within this process, unique for its life. */
export type ConnectionId = Branded<'ConnectionId'>;

/** Identifier of one decision: a version 4 UUID, also sent to the agent as `x-request-id`. */
export type DecisionId = Branded<'DecisionId'>;
