import protobuf from 'protobufjs';

import type { Authority, Issued } from '../pki.ts';

/** The messages by another hand than ours: protobufjs from the published definition (SPIFFE_Workload_API, Appendix A). */
const { root } = protobuf.parse(
  `syntax = "proto3";
   message X509SVIDResponse {
     repeated X509SVID svids = 1;
     repeated bytes crl = 2;
     map<string, bytes> federated_bundles = 3;
   }
   message X509SVID { string spiffe_id = 1; bytes x509_svid = 2; bytes x509_svid_key = 3; bytes bundle = 4; string hint = 5; }
   message X509BundlesResponse { repeated bytes crl = 1; map<string, bytes> bundles = 2; }`,
  { keepCase: true },
);
const Svids = root.lookupType('X509SVIDResponse');
const Bundles = root.lookupType('X509BundlesResponse');

/** Fields of `X509SVID`; what is left out is empty. */
export type SvidFields = {
  readonly spiffe_id?: string;
  readonly x509_svid?: Uint8Array;
  readonly x509_svid_key?: Uint8Array;
  readonly bundle?: Uint8Array;
  readonly hint?: string;
};

export type SvidsFields = {
  readonly svids?: readonly SvidFields[];
  readonly crl?: readonly Uint8Array[];
  readonly federated_bundles?: Readonly<Record<string, Uint8Array>>;
};

export type BundlesFields = {
  readonly crl?: readonly Uint8Array[];
  readonly bundles?: Readonly<Record<string, Uint8Array>>;
};

export function encodeSvids(fields: SvidsFields): Uint8Array {
  return Svids.encode(Svids.create(fields)).finish();
}

export function encodeBundles(fields: BundlesFields): Uint8Array {
  return Bundles.encode(Bundles.create(fields)).finish();
}

/** As protobufjs reads it; throws where it cannot. */
export function decodeSvids(message: Uint8Array): Required<SvidsFields> {
  return Svids.toObject(Svids.decode(message), {
    defaults: true,
    arrays: true,
    objects: true,
  }) as Required<SvidsFields>;
}

export function decodeBundles(message: Uint8Array): Required<BundlesFields> {
  return Bundles.toObject(Bundles.decode(message), { arrays: true, objects: true }) as Required<BundlesFields>;
}

/** The right fields for a leaf, with one or more of them different. */
export function svidFields(authority: Authority, leaf: Issued, id: string, different: SvidFields = {}): SvidFields {
  return {
    spiffe_id: id,
    x509_svid: Buffer.concat(leaf.chain),
    x509_svid_key: pkcs8(leaf),
    bundle: Buffer.concat(authority.bundle),
    hint: '',
    ...different,
  };
}

export function pkcs8(leaf: Issued): Uint8Array {
  return leaf.privateKey.export({ type: 'pkcs8', format: 'der' });
}
