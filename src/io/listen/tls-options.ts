import { constants, X509Certificate } from 'node:crypto';
import { createSecureContext, type TlsOptions } from 'node:tls';

import { err, ok, type Result } from '../../core/kernel/result.ts';
import type { ListenSettings, TlsSettings } from './settings.ts';

/** Keys, certificates, versions: what a reload may change. */
export function contextOptions(settings: TlsSettings): TlsOptions {
  // Renegotiation (TLS 1.2) lets a peer ask for a handshake's work again and again.
  const always = constants.SSL_OP_NO_RENEGOTIATION;
  return {
    cert: settings.certificateChain,
    key: settings.privateKey,
    ca: [...settings.trustAnchors],
    minVersion: settings.minVersion,
    maxVersion: 'TLSv1.3',
    secureOptions: settings.resumption ? always : always | constants.SSL_OP_NO_TICKET,
  };
}

/**
 * Everything else. A certificate is asked for and its absence or badness accepted by OpenSSL, so that each refusal is ours, with its reason
 * and its record: with `rejectUnauthorized` the reason is lost.
 */
export function serverOptions(settings: ListenSettings): TlsOptions {
  const offered = settings.protocol === 'http' ? { ALPNProtocols: ['h2', 'http/1.1'] } : {};
  return {
    ...contextOptions(settings.tls),
    ...offered,
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: settings.limits.handshakeTimeoutMs,
    noDelay: true,
    keepAlive: true,
    // Bytes may end in one direction before the other; HTTP may not.
    allowHalfOpen: settings.protocol === 'tcp',
  };
}

/** The options if OpenSSL can use them; otherwise why not (never with key material). */
export function checkedContext(settings: TlsSettings): Result<TlsOptions, string> {
  const options = contextOptions(settings);
  // Node takes an empty text for no key at all and anchors that are none for nothing, and would only fail in the handshake.
  if (settings.certificateChain.trim() === '' || settings.privateKey.trim() === '')
    return err('certificate or private key is empty');
  try {
    createSecureContext(options);
    for (const anchor of settings.trustAnchors) parseCertificate(anchor);
    return ok(options);
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}

/** Throws where `pem` does not begin with a certificate. */
function parseCertificate(pem: string): X509Certificate {
  return new X509Certificate(pem);
}
