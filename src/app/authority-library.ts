/*
 * `sallyport/authority`: the authority in a process of your own. docs/library.md shows how the parts go together; what each does stands where it is made.
 */

export { caDeps, caKeys } from './ca-keys.ts';
export { createRandom, systemClock } from './system.ts';
export { createCsr } from '../core/issuance/create-csr.ts';
export { generateKeyPair } from '../core/issuance/signing-key.ts';
export { openAuthorityStore } from '../io/authority/authority-store.ts';
export { initAuthority } from '../io/authority/ca-setup.ts';
export { createAuthorityService } from '../io/authority/http-service.ts';
export { createJoinToken } from '../io/authority/join-token.ts';
export { createIssuingLimits, DEFAULT_ISSUING_RATES } from '../io/authority/rate-limit-issuing.ts';
export { liftBar, revoke } from '../io/authority/revoking.ts';
export { activateRoot, prepareRoot, renewIssuing, retireRoot } from '../io/authority/root-rotation.ts';
export { createIssuingAuthority } from '../io/authority/running-authority.ts';
export { systemTimer } from '../io/sources/timer.ts';

export type { IssuedSvid } from '../core/issuance/svid.ts';
export type { Attestation, IssuanceFault, TrustDocument } from '../core/model/svid.ts';
export type { AuthorityStore } from '../io/authority/authority-store.ts';
export type { AuthorityFigures, IssuingAuthority } from '../io/authority/issuing-authority.ts';
export type { IssuingAuthorityDeps, IssuingSettings } from '../io/authority/running-authority.ts';
