/** Why a policy may not ask the network in the middle of a decision, and what its author should do instead. */
const NO_NETWORK =
  'a decision may not wait for the network, and could not be replayed. Push the data in the bundle instead ' +
  '(data.json, or a delta from the bundle server) and read it from `data`';

/** Built-ins that OPA's compiler knows and that no policy here may use, each with the reason that the author reads. */
export const REFUSED_BUILTINS: Readonly<Record<string, string>> = {
  'http.send': NO_NETWORK,
  'net.lookup_ip_addr': NO_NETWORK,
  'opa.runtime':
    'a decision may not depend on the configuration and environment of the process that makes it, or it would differ between ' +
    'machines. Put what the policy needs in the bundle (data.json) and read it from `data`',
  'rego.parse_module':
    'it needs the Rego compiler in the middle of a decision. Parse the module before, when the bundle is built, and put what ' +
    'the policy needs of it in data.json',
};
