/** What a host built-in is known to answer otherwise than OPA's interpreter does. */
export type KnownDifference = {
  readonly names: readonly string[];
  /** What OPA does, and what happens here. */
  readonly what: string;
  readonly why: string;
  /** A call in Rego text, and the array of each one's answer, `[]` for undefined. None where OPA's answer is chance, or does not come. */
  readonly example?: {
    readonly name: string;
    readonly args: readonly string[];
    readonly ours: string;
    readonly opa: string;
  };
};

const NO_UTF8 = 'Text in a module is UTF-8, so such bytes cannot be handed back.';

/** All that are known. The generated calls beside this file leave them out; everything else that is generated agrees. */
export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    names: ['hex.decode', 'urlquery.decode', 'urlquery.decode_object'],
    what: 'OPA passes on bytes that are no UTF-8; here the result is undefined.',
    why: NO_UTF8,
    example: { name: 'hex.decode', args: ['"ff"'], ours: '[]', opa: String.raw`["\xff"]` },
  },
  {
    names: ['strings.render_template'],
    what: 'Bytes that belong to no character, by `slice` or an escape, are U+FFFD at once; in OPA they are when its answer becomes JSON, so that `len` differs.',
    why: NO_UTF8,
    example: {
      name: 'strings.render_template',
      args: ['"{{len (slice .a 0 1)}}"', '{"a": "é"}'],
      ours: '["3"]',
      opa: '["1"]',
    },
  },
  {
    names: ['strings.render_template'],
    what: 'Imaginary numbers are undefined here, even where they would not be reached.',
    why: 'No value of Rego is one.',
    example: { name: 'strings.render_template', args: ['"{{1i}}"', '{}'], ours: '[]', opa: '["(0+1i)"]' },
  },
  {
    names: ['strings.render_template'],
    what: 'Templates and blocks nest 400 deep while they are rendered, 200 while they are read, 1,000 variables are known at a place; OPA stops at 100,000 and 10,000.',
    why: 'The stack of a process is bounded, and every call is within a decision.',
  },
  {
    names: ['strings.render_template'],
    what: "`slice` beyond the end of an array of more than 512 elements is an error here; in OPA it gives as many nils as Go's memory happens to have room for.",
    why: 'Up to 512 the room is the next power of two, as here; beyond, it depends on the sizes that the allocator of a Go version has.',
  },
  {
    names: ['sprintf', 'strings.render_template'],
    what: '`%p` of a list, a map or a whole number beyond 64 bits, and `%w` of such a number, are undefined here; OPA writes an address.',
    why: 'An address is another one in each process, so the decision could not be replayed.',
  },
  {
    names: ['net.cidr_merge'],
    what: 'Networks of IPv4 written in IPv6, `::ffff:1.2.3.0/120`, are undefined here; OPA merges them into something that is no network, or its process ends.',
    why: 'There is no answer to agree with.',
  },
  {
    names: ['semver.compare'],
    what: 'Two versions that differ only in numeric pre-release parts over 63 bits are alike here; in OPA the comparison does not end.',
    why: 'There is no answer to agree with.',
  },
  {
    names: ['json.match_schema'],
    what: 'The order of the reasons is chance in OPA, which walks a Go map; here it is that of the keys.',
    why: 'The same call must give the same answer in a decision and in its replay.',
  },
  {
    names: ['yaml.unmarshal', 'yaml.is_valid'],
    what: 'Some texts that OPA refuses are read here: blank lines of tabs, block scalars at column 0. What both read has the same value.',
    why: "The YAML library here is laxer than OPA's.",
  },
  {
    names: ['io.jwt.decode_verify'],
    what: '`exp` or `nbf` of so many digits, or so large an exponent, that they are not compared are undefined here; OPA compares them.',
    why: 'A number of a million digits in a token would be work for its sender to give. The token is refused.',
  },
  {
    names: ['crypto.x509.parse_and_verify_certificates', 'crypto.x509.parse_and_verify_certificates_with_options'],
    what: 'A chain that demands explicit policies (RFC 5280 4.2.1.11) is not valid here; Go judges its policies.',
    why: 'Such chains are rare, and refusing is the safe side.',
  },
];

/** The list as Markdown. */
export function differencesText(): string {
  return KNOWN_DIFFERENCES.map(({ names, what, why }) => {
    return `- ${names.map((name) => `\`${name}\``).join(', ')}: ${what} ${why}`;
  }).join('\n');
}
