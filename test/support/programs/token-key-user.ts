import { createPublicKey, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, connect } from 'node:tls';

import { createKeyOpener } from '../../../src/io/keys/key-opener.ts';

/*
 * Uses a key in a PKCS#11 token as Sallyport does: opens it by the file named first, says what it is as JSON, signs, tries to take it out, and,
 * with a certificate for it named second, serves TLS with it once.
 */

const [reference = '', certificate] = process.argv.slice(2);
const opened = await createKeyOpener({}).open(reference, readFileSync(reference));
if (!opened.ok) {
  process.stdout.write(JSON.stringify({ refused: opened.error }));
  process.exit(1);
}
const { privateKey, tlsKey } = opened.value;
const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
const publicKey = createPublicKey({ key: spki, type: 'spki', format: 'der' });
const text = Buffer.from('to be signed');
const said = {
  type: privateKey.asymmetricKeyType,
  spki: spki.toString('base64'),
  signs: verify('sha256', text, publicKey, sign('sha256', text, privateKey)),
  exported: exported(),
  tls: certificate === undefined ? undefined : await served(readFileSync(certificate, 'utf8')),
};
process.stdout.write(JSON.stringify(said));

function exported(): boolean {
  try {
    privateKey.export({ type: 'pkcs8', format: 'pem' });
    return true;
  } catch {
    return false;
  }
}

/** The protocol of one handshake with the key of the token on the server's side. */
function served(cert: string): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const server = createServer({ cert, key: tlsKey, minVersion: 'TLSv1.3' }, (socket) => socket.end('hello'));
    server.on('tlsClientError', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      const socket = connect({ port, host: '127.0.0.1', ca: cert, checkServerIdentity: () => undefined }, () => {
        resolve(socket.authorized ? socket.getProtocol() : String(socket.authorizationError));
        socket.destroy();
        server.close();
      });
      socket.on('error', reject);
    });
  });
}
