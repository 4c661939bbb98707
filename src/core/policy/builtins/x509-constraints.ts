import { BuiltinError } from '../builtin.ts';
import { DerReader, TAG, context } from './der.ts';
import { readIp } from './ip-text.ts';
import { readMailbox } from './mailbox.ts';
import { isDomain } from './x509-extensions.ts';
import { ia5 } from './x509-name.ts';

/** A range of addresses. */
export type IpRange = { readonly ip: Uint8Array; readonly mask: Uint8Array };

/** Names of one side of name constraints. */
export type Subtrees = {
  readonly dns: readonly string[];
  readonly ips: readonly IpRange[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
};

/** Name constraints (RFC 5280 4.2.1.10); `unhandled` where one is of a kind that Go does not judge. */
export type NameConstraints = {
  readonly permitted: Subtrees;
  readonly excluded: Subtrees;
  readonly unhandled: boolean;
};

/** Reads name constraints, which are not empty. */
export function readNameConstraints(value: Uint8Array): NameConstraints {
  const outer = new DerReader(value);
  const sequence = outer.into(TAG.sequence);
  const permitted = sequence.optional(context(0, true));
  const excluded = sequence.optional(context(1, true));
  if (!outer.empty || !sequence.empty || ((permitted?.empty ?? true) && (excluded?.empty ?? true)))
    throw new BuiltinError('malformed name constraints');
  const one = readSubtrees(permitted);
  const other = readSubtrees(excluded);
  return { permitted: one.trees, excluded: other.trees, unhandled: one.unhandled || other.unhandled };
}

function readSubtrees(reader: DerReader | undefined): { trees: Subtrees; unhandled: boolean } {
  const list = reader ?? new DerReader(new Uint8Array());
  const trees = { dns: [] as string[], ips: [] as IpRange[], emails: [] as string[], uris: [] as string[] };
  let unhandled = false;
  while (!list.empty) {
    const { tag, body } = list.into(TAG.sequence).any();
    if (tag === context(2)) trees.dns.push(domain(ia5(body)));
    else if (tag === context(7)) trees.ips.push(range(body));
    else if (tag === context(1)) trees.emails.push(mail(ia5(body)));
    else if (tag === context(6)) trees.uris.push(uriDomain(ia5(body)));
    else unhandled = true;
  }
  return { trees, unhandled };
}

function domain(name: string): string {
  if (!isDomain(name, true)) throw new BuiltinError('a name constraint that is no domain');
  return name;
}

function mail(name: string): string {
  if (name.includes('@') ? readMailbox(name) === undefined : !isDomain(name, true))
    throw new BuiltinError('a name constraint that is no mailbox');
  return name;
}

function uriDomain(name: string): string {
  if (readIp(name) !== undefined) throw new BuiltinError('a name constraint of URIs that is an address');
  return domain(name);
}

function range(body: Uint8Array): IpRange {
  if (body.length !== 8 && body.length !== 32) throw new BuiltinError('a name constraint of wrong length');
  const [ip, mask] = [body.subarray(0, body.length / 2), body.subarray(body.length / 2)];
  if (!/^1*0*$/.test(Array.from(mask, (byte) => byte.toString(2).padStart(8, '0')).join('')))
    throw new BuiltinError('a name constraint with an invalid mask');
  return { ip, mask };
}
