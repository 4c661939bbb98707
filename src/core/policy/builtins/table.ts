import type { Builtin } from '../builtin.ts';
import { AWS_BUILTINS } from './aws-sign.ts';
import { CAST_BUILTINS } from './casts.ts';
import { CIDR_BUILTINS } from './cidr.ts';
import { ENCODING_BUILTINS } from './encoding.ts';
import { GRAPH_BUILTINS } from './graph-paths.ts';
import { GRAPHQL_BUILTINS } from './graphql.ts';
import { HASH_BUILTINS } from './hashes.ts';
import { JSON_MARSHAL_BUILTINS } from './json-marshal.ts';
import { JSON_PATCH_BUILTINS } from './json-patch.ts';
import { JSON_SCHEMA_BUILTINS } from './json-schema.ts';
import { JWT_BUILTINS } from './jwt.ts';
import { NUMBER_BUILTINS } from './numbers.ts';
import { OBJECT_BUILTINS } from './object-subset.ts';
import { REGEX_BUILTINS } from './regex.ts';
import { TEMPLATE_BUILTINS } from './render-template.ts';
import { SEMVER_BUILTINS } from './semver.ts';
import { SPRINTF_BUILTINS } from './sprintf.ts';
import { STRING_BUILTINS } from './strings.ts';
import { TIME_BUILTINS } from './time.ts';
import { UNIT_BUILTINS } from './units.ts';
import { URI_BUILTINS } from './uri.ts';
import { UUID_BUILTINS } from './uuid.ts';
import { X509_BUILTINS } from './x509.ts';
import { YAML_BUILTINS } from './yaml.ts';

/**
 * Every built-in function that this host supplies beside those that OPA compiles into the module. None reaches the network, and each gives what
 * `opa eval` gives. A policy that calls another one is refused at load.
 */
export const HOST_BUILTINS: ReadonlyMap<string, Builtin> = new Map(
  Object.entries({
    ...AWS_BUILTINS,
    ...CAST_BUILTINS,
    ...CIDR_BUILTINS,
    ...ENCODING_BUILTINS,
    ...GRAPH_BUILTINS,
    ...GRAPHQL_BUILTINS,
    ...HASH_BUILTINS,
    ...JSON_MARSHAL_BUILTINS,
    ...JSON_PATCH_BUILTINS,
    ...JSON_SCHEMA_BUILTINS,
    ...JWT_BUILTINS,
    ...NUMBER_BUILTINS,
    ...OBJECT_BUILTINS,
    ...REGEX_BUILTINS,
    ...TEMPLATE_BUILTINS,
    ...SEMVER_BUILTINS,
    ...SPRINTF_BUILTINS,
    ...STRING_BUILTINS,
    ...TIME_BUILTINS,
    ...UNIT_BUILTINS,
    ...URI_BUILTINS,
    ...UUID_BUILTINS,
    ...X509_BUILTINS,
    ...YAML_BUILTINS,
  }),
);
