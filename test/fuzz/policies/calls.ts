/** Kinds of Rego values that a generator tells apart; `any` is what only evaluation knows. */
export type Kind =
  | 'any'
  | 'number'
  | 'string'
  | 'boolean'
  | 'array'
  | 'object'
  | 'set'
  | 'strings'
  | 'paths'
  | 'small'
  | 'json'
  | 'base64';

/** A built-in: what it takes and gives. */
export type Call = { readonly name: string; readonly takes: readonly Kind[]; readonly gives: Kind };

function calls(gives: Kind, rows: Readonly<Record<string, readonly Kind[]>>): readonly Call[] {
  return Object.entries(rows).map(([name, takes]) => ({ name, takes, gives }));
}

/** Built-ins that policies are made of; those without an answer of their own at each run, and those that need keys and certificates, are left to their own tests. */
export const CALLS: readonly Call[] = [
  ...calls('number', {
    count: ['any'],
    sum: ['array'],
    product: ['set'],
    abs: ['number'],
    round: ['number'],
    ceil: ['number'],
    floor: ['number'],
    to_number: ['any'],
    indexof: ['string', 'string'],
    'strings.count': ['string', 'string'],
    'bits.and': ['number', 'number'],
    'bits.or': ['number', 'number'],
    'bits.xor': ['number', 'number'],
    'bits.lsh': ['number', 'small'],
    'bits.rsh': ['number', 'small'],
    'bits.negate': ['number'],
    'units.parse': ['string'],
    'units.parse_bytes': ['string'],
    'time.parse_duration_ns': ['string'],
    'semver.compare': ['string', 'string'],
  }),
  ...calls('string', {
    type_name: ['any'],
    concat: ['string', 'strings'],
    lower: ['string'],
    upper: ['string'],
    replace: ['string', 'string', 'string'],
    substring: ['string', 'number', 'number'],
    trim: ['string', 'string'],
    trim_left: ['string', 'string'],
    trim_right: ['string', 'string'],
    trim_prefix: ['string', 'string'],
    trim_suffix: ['string', 'string'],
    trim_space: ['string'],
    sprintf: ['string', 'array'],
    'strings.reverse': ['string'],
    'strings.replace_n': ['object', 'string'],
    'regex.replace': ['string', 'string', 'string'],
    'json.marshal': ['any'],
    'base64.encode': ['string'],
    'base64.decode': ['base64'],
    'base64url.encode': ['string'],
    'base64url.encode_no_pad': ['string'],
    'base64url.decode': ['base64'],
    'hex.encode': ['string'],
    'hex.decode': ['string'],
    'urlquery.encode': ['string'],
    'urlquery.decode': ['string'],
    'urlquery.encode_object': ['object'],
    'crypto.sha256': ['string'],
    'crypto.md5': ['string'],
    format_int: ['number', 'number'],
    'yaml.marshal': ['any'],
    'glob.quote_meta': ['string'],
  }),
  ...calls('boolean', {
    contains: ['string', 'string'],
    startswith: ['string', 'string'],
    endswith: ['string', 'string'],
    'strings.any_prefix_match': ['strings', 'strings'],
    'strings.any_suffix_match': ['strings', 'strings'],
    'regex.match': ['string', 'string'],
    'regex.is_valid': ['any'],
    'glob.match': ['string', 'strings', 'string'],
    is_number: ['any'],
    is_string: ['any'],
    is_boolean: ['any'],
    is_array: ['any'],
    is_set: ['any'],
    is_object: ['any'],
    is_null: ['any'],
    'object.subset': ['any', 'any'],
    'json.is_valid': ['json'],
    'yaml.is_valid': ['any'],
    'semver.is_valid': ['any'],
    'net.cidr_contains': ['string', 'string'],
    'net.cidr_is_valid': ['any'],
  }),
  ...calls('array', {
    sort: ['any'],
    'array.concat': ['array', 'array'],
    'array.slice': ['array', 'number', 'number'],
    'array.reverse': ['array'],
    'array.flatten': ['array'],
    'numbers.range': ['small', 'small'],
    'numbers.range_step': ['small', 'small', 'small'],
    split: ['string', 'string'],
    'regex.split': ['string', 'string'],
    'regex.find_n': ['string', 'string', 'number'],
    'regex.find_all_string_submatch_n': ['string', 'string', 'number'],
    indexof_n: ['string', 'string'],
  }),
  ...calls('object', {
    'object.union': ['object', 'object'],
    'object.union_n': ['array'],
    'object.remove': ['object', 'array'],
    'object.filter': ['object', 'array'],
    'json.filter': ['object', 'paths'],
    'json.remove': ['object', 'paths'],
    'urlquery.decode_object': ['string'],
  }),
  ...calls('set', {
    'object.keys': ['object'],
    intersection: ['set'],
    union: ['set'],
    'graph.reachable': ['object', 'array'],
    'graph.reachable_paths': ['object', 'array'],
  }),
  ...calls('any', {
    max: ['any'],
    min: ['array'],
    'object.get': ['object', 'any', 'any'],
    'json.unmarshal': ['json'],
    'yaml.unmarshal': ['string'],
    'json.patch': ['any', 'array'],
  }),
];
