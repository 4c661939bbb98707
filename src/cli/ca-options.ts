import { Option } from 'commander';

import { duration } from './option-values.ts';

import type { KeyKind } from '../core/issuance/signing-key.ts';
import type { Json } from './define.ts';

/** What every command about an authority takes. */
export type CaOptions = Json & { readonly dir: string; readonly passphrase?: string };

/** What commands take that have the issuing CA sign. */
export type KeyOptions = { readonly keyType: KeyKind; readonly issuingKey?: string };

/** What commands take that have a root sign a new issuing CA. */
export type NewIssuingOptions = KeyOptions & { readonly rootKey?: string; readonly issuingTtl: number };

export function dir(): Option {
  return new Option('--dir <folder>', 'folder of the authority').default('certs');
}

export function ttl(description: string, standard: string): Option {
  return new Option('--ttl <duration>', description).argParser(duration).default(duration(standard), standard);
}

export function issuingTtl(): Option {
  const option = new Option('--issuing-ttl <duration>', 'how long the CA that issues is valid');
  return option.argParser(duration).default(duration('365d'), '365d');
}

export function keyType(): Option {
  return new Option('--key-type <type>', 'kind of keys that are made').choices(['p256', 'ed25519']).default('p256');
}

export function rootKey(description = "where the root's key is now, if not where it was written"): Option {
  return new Option('--root-key <file>', description);
}

export function issuingKey(description = 'where the issuing key is, if not where it was written'): Option {
  return new Option('--issuing-key <file>', description);
}

export function passphrase(): Option {
  const description = "file with the passphrase of the authority's keys; those that are made are encrypted with it";
  return new Option('--passphrase <file>', description);
}
