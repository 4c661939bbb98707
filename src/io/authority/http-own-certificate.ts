import { constants } from 'node:crypto';
import type { Server } from 'node:https';
import type { SecureContextOptions } from 'node:tls';

import { encodePem } from '../../core/identity/pem.ts';
import type { ServiceDeps } from './http-settings.ts';

/** How often to look whether the authority has renewed its own certificate, milliseconds. */
const LOOK_MS = 500;

/** TLS 1.3 with the authority's own SVID, no tickets: each connection shows its whole chain. Members' roots are the hint which certificate to show. */
export function ownContext({ authority }: Pick<ServiceDeps, 'authority'>): SecureContextOptions {
  const { svid, privateKey } = authority.own();
  const roots = authority.trust().bundles.get(authority.trustDomain) ?? [];
  return {
    cert: svid.chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
    // Node's TLS takes no KeyObject. The authority's own SVID is made in memory for this, and is never the key that issues.
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ca: roots.map((der) => encodePem('CERTIFICATE', der)),
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** New connections get the certificate and the roots of their time; those that are open go on. What cannot be used is reported and the last one stays. */
export function followOwnCertificate(
  server: Server,
  deps: Pick<ServiceDeps, 'authority' | 'timer' | 'log'>,
): () => void {
  const { authority, timer, log } = deps;
  const stamp = (): string => `${authority.own().svid.serial} ${authority.trust().revision}`;
  let used = stamp();
  let cancel = timer(LOOK_MS, look);
  const unsubscribe = authority.onTrust(renew);

  function renew(): void {
    const next = stamp();
    if (next === used) return;
    used = next;
    try {
      // Throws before anything is replaced.
      server.setSecureContext(ownContext(deps));
    } catch (error) {
      log.error(
        { error: String(error) },
        'the certificate of the authority itself cannot be used; the last one stays in use',
      );
    }
  }

  function look(): void {
    renew();
    cancel = timer(LOOK_MS, look);
  }

  return () => {
    cancel();
    unsubscribe();
  };
}
