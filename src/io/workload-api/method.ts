const SERVICE = '/SpiffeWorkloadAPI';

/** The calls of the service by path, as far as anything is said about them here. The service has no package (SPIFFE_Workload_API, Appendix A). */
export const METHOD = {
  x509Svid: `${SERVICE}/FetchX509SVID`,
  x509Bundles: `${SERVICE}/FetchX509Bundles`,
} as const;

/** True for any call of the service, JWT-SVIDs and WIT-SVIDs included. */
export function isOfService(path: string): boolean {
  return path.startsWith(`${SERVICE}/`);
}

/**
 * Metadata that each call must carry, so that no other program can be tricked into making one (SPIFFE_Workload_Endpoint 6: against server-side request
 * forgery).
 */
export const SECURITY_HEADER = 'workload.spiffe.io';
