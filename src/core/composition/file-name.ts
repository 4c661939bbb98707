/** What a file of a policy is by its name, which is a key of a ConfigMap: without folders. */
export type FileKind =
  | { readonly kind: 'rego' }
  /** Left out, as in every build. */
  | { readonly kind: 'test' }
  /** `path`: of the file in a bundle, whose folders say where below `data` it goes. */
  | { readonly kind: 'data'; readonly path: string }
  /** `why`: for the owner. */
  | { readonly kind: 'refused'; readonly why: string };

/** A ConfigMap's keys have this form (Kubernetes: at most 253 of these); what begins with a dot means something to OPA (`.manifest`). */
const NAME = /^[A-Za-z0-9_][-A-Za-z0-9_.]{0,252}$/;

/**
 * Tells by the name. `NAME.rego` is Rego, `NAME_test.rego` a test. `data.json`, `.yaml` or `.yml` is merged into `data`; `fleet.json`, or `data.fleet.json`, is
 * `data.fleet`, and `fleet.segments.yaml` is `data.fleet.segments`, since keys of ConfigMaps have no folders.
 */
export function fileKind(name: string): FileKind {
  if (!NAME.test(name)) return refused('its name is no plain file name of letters, digits, `.`, `-` and `_`');
  if (name.endsWith('_test.rego')) return { kind: 'test' };
  if (name.endsWith('.rego')) return { kind: 'rego' };
  const [, stem = '', ending = ''] = /^(.+)\.(json|yaml|yml)$/.exec(name) ?? [];
  if (ending === '') return refused('neither Rego nor data; name it *.rego, *.json or *.yaml, or leave it out');
  const words = stem.split('.');
  if (words.some((word) => word === '')) return refused('its name has an empty part between two dots');
  const folders = words[0] === 'data' ? words.slice(1) : words;
  return { kind: 'data', path: [...folders, `data.${ending}`].join('/') };
}

function refused(why: string): FileKind {
  return { kind: 'refused', why };
}
