import { writeFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';

import { sequence, setOf, oid, utf8 } from '../support/der.ts';
import { createAuthority, type Authority } from '../support/pki.ts';
import { generalName } from '../support/pki-certificate.ts';
import { createKeyPair } from '../support/pki-keys.ts';

const COMMON_NAME = '2.5.4.3';
const ORGANISATION = '2.5.4.10';

/** Certificates and keys of one cluster, made for it and gone with its folder. */
export type ClusterPki = {
  readonly caFile: string;
  readonly caPem: string;
  readonly caKeyFile: string;
  /** The API server's own. */
  readonly serving: KeyPairFiles;
  /** Signs tokens of service accounts. */
  readonly tokenKeyFile: string;
  readonly tokenPublicKeyFile: string;
  /** A certificate by which the API server knows `user`, a member of `groups`. */
  readonly client: (user: string, groups?: readonly string[]) => Promise<KeyPairFiles>;
};

export type KeyPairFiles = { readonly certificate: string; readonly privateKey: string };

/** Makes them in `folder`; `names` are the DNS names and IPv4 addresses of the API server. */
export async function createClusterPki(folder: string, names: readonly string[]): Promise<ClusterPki> {
  const ca = createAuthority({ trustDomain: 'cluster.test', subject: 'cluster' });
  const at = (name: string): string => join(folder, name);
  const tokens = createKeyPair('p256');
  const publicPem = tokens.publicKey.export({ type: 'spki', format: 'pem' });
  await writeFile(at('ca.pem'), ca.bundlePem);
  await writeFile(at('ca.key'), ca.certificate.keyPem, { mode: 0o600 });
  await writeFile(at('tokens.key'), tokens.privateKey.export({ type: 'sec1', format: 'pem' }), { mode: 0o600 });
  await writeFile(at('tokens.pub'), publicPem);
  return {
    caFile: at('ca.pem'),
    caPem: ca.bundlePem,
    caKeyFile: at('ca.key'),
    serving: await leaf(folder, 'kube-apiserver', { ca, user: 'kube-apiserver', groups: [], names }),
    tokenKeyFile: at('tokens.key'),
    tokenPublicKeyFile: at('tokens.pub'),
    client: (user, groups = []) => leaf(folder, user.replaceAll(':', '-'), { ca, user, groups, names: [] }),
  };
}

type Leaf = {
  readonly ca: Authority;
  readonly user: string;
  readonly groups: readonly string[];
  readonly names: readonly string[];
};

async function leaf(folder: string, name: string, { ca, user, groups, names }: Leaf): Promise<KeyPairFiles> {
  const issued = ca.issue({
    rawSubject: subject(user, groups),
    uris: [],
    dnsNames: names.filter((each) => !isIPv4(each)),
    otherNames: names.filter(isIPv4).map((each) => generalName.ip(Buffer.from(each.split('.').map(Number)))),
  });
  const files = { certificate: join(folder, `${name}.pem`), privateKey: join(folder, `${name}.key`) };
  await writeFile(files.certificate, issued.certPem);
  await writeFile(files.privateKey, issued.keyPem, { mode: 0o600 });
  return files;
}

/** Kubernetes reads users from the common name and groups from the organisations. */
function subject(user: string, groups: readonly string[]): Uint8Array {
  return sequence(...groups.map((group) => attribute(ORGANISATION, group)), attribute(COMMON_NAME, user));
}

function attribute(type: string, text: string): Uint8Array {
  return setOf(sequence(oid(type), utf8(text)));
}
