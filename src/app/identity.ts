import type { FirstRoots, IdentityFiles, IdentitySettings } from '../core/config/identity-settings.ts';
import { judgeBundleEndpoint } from '../core/identity/bundle-endpoint.ts';
import { parseSpiffeId } from '../core/identity/spiffe-id.ts';
import type { TrustDomain } from '../core/kernel/brand.ts';
import { ok } from '../core/kernel/result.ts';
import { createAuthorityClient } from '../io/enrolment/authority-client.ts';
import { createKeyOpener } from '../io/keys/key-opener.ts';
import { readPassphrase } from '../io/keys/passphrase.ts';
import { createIdentityKeep } from '../io/sources/authority-keep.ts';
import { createAuthorityPart } from '../io/sources/authority-part.ts';
import type { Source } from '../io/sources/follower.ts';
import { createIdentityAssembly } from '../io/sources/identity-assembly.ts';
import { readCertificates } from '../io/sources/identity-files.ts';
import type { IdentityPart, NamedPart, OpenKey, PartWatch } from '../io/sources/identity-part.ts';
import { createFilesPart, createIdentitySource, type IdentitySnapshot } from '../io/sources/identity-source.ts';
import type { Problems } from '../io/sources/problem.ts';
import { readBounded } from '../io/sources/read-file.ts';
import { systemTimer } from '../io/sources/timer.ts';
import { createTrustPollStore } from '../io/sources/trust-poll-copy.ts';
import { createTrustPoll, type TrustPollDeps, type TrustPollSettings } from '../io/sources/trust-poll-source.ts';
import { createWorkloadPart } from '../io/sources/workload-part.ts';
import { createTrustFetcher } from '../io/trust/fetcher.ts';
import type { TrustAddress } from '../io/trust/settings.ts';
import { createWorkloadApiClient } from '../io/workload-api/client.ts';
import { socketOf } from '../io/workload-api/endpoint.ts';
import { deferredSource } from './deferred-source.ts';
import { createRandom, systemClock } from './system.ts';

/** Who hears of an identity. */
export type IdentityWatch = {
  readonly onChange?: (snapshot: IdentitySnapshot) => void;
  readonly onProblem?: (problem: Problems | undefined) => void;
  /** The identity that was in force is so no more, and none is in its place. */
  readonly onLost?: (reason: string) => void;
};

type Endpoint = IdentitySettings['federation'][string];

/** For all of one question to a bundle endpoint or a publisher of revocation lists, milliseconds. */
const FETCH_MS = 10_000;

const world = { clock: systemClock, timer: systemTimer } as const;

/** Where the identity of a sidecar comes from, as its configuration says. Without effects until it is started. */
export function followIdentity(settings: IdentitySettings, watch: IdentityWatch = {}): Source<IdentitySnapshot> {
  const { federation, revocationListUrls } = settings;
  const isFilesAlone =
    settings.source === 'files' && Object.keys(federation).length === 0 && revocationListUrls.length === 0;
  if (isFilesAlone) return createIdentitySource(settings, { ...world, openKey: openKeyOf(settings), ...watch });
  // What each part brought last, in the order of the parts.
  const brought: IdentityPart[] = [];
  // Whom we believe by files, and who is revoked by them, comes before anybody is asked over the network.
  const filesRead = Promise.withResolvers<void>();
  const kept = (part: NamedPart, index: number): NamedPart => ({
    ...part,
    create: (own) =>
      part.create({
        onChange: (newest) => {
          brought[index] = newest;
          if (index === 0) filesRead.resolve();
          own.onChange(newest);
        },
        onProblem: (problem) => {
          if (index === 0) filesRead.resolve();
          own.onProblem(problem);
        },
      }),
  });
  // A copy without the places of parts that brought nothing yet.
  const known = (): readonly IdentityPart[] => brought.filter(Boolean);
  const parts = [
    ...ownParts(settings),
    ...Object.entries(federation).map(([domain, endpoint]) =>
      federationPart(domain as TrustDomain, endpoint, settings.persist, known, filesRead.promise),
    ),
    ...revocationListUrls.map((url) => listPart(url, settings.persist, () => known().flatMap(issuersIn))),
  ];
  const trustDomain = settings.source === 'authority' ? domainOf(settings.authority.id) : undefined;
  return createIdentityAssembly(parts.map(kept), { ...world, ...watch, trustDomain });
}

/** Our own certificate, then the files of others whom we believe: earlier parts go before later ones. */
function ownParts(settings: IdentitySettings): readonly NamedPart[] {
  const { trustBundles, revocationLists } = settings;
  const trust: NamedPart = {
    name: 'trust',
    required: true,
    create: (watch) => createFilesPart({ trustBundles, revocationLists }, { ...world, ...watch }),
  };
  switch (settings.source) {
    case 'files':
      return [
        {
          name: 'files',
          required: true,
          create: (watch) => createFilesPart(settings, { ...world, openKey: openKeyOf(settings), ...watch }),
        },
      ];
    case 'authority':
      return [trust, withoutNamed(settings, authorityPart(settings))];
    case 'workload-api':
      return [trust, withoutNamed(settings, workloadPart(settings.workloadApi))];
    default:
      return settings satisfies never;
  }
}

/** A trust domain that the configuration names a place for has its bundle from there, and from nowhere else, also while it has none yet. */
function withoutNamed({ trustBundles, federation }: IdentitySettings, part: NamedPart): NamedPart {
  const isNamed = (domain: string): boolean => Object.hasOwn(trustBundles, domain) || Object.hasOwn(federation, domain);
  return {
    ...part,
    create: (watch) =>
      part.create({
        ...watch,
        onChange: (brought) => {
          const bundles = new Map([...brought.bundles].filter(([domain]) => !isNamed(domain)));
          watch.onChange({ ...brought, bundles });
        },
      }),
  };
}

function openKeyOf({ passphrase }: Pick<IdentityFiles, 'passphrase'>): OpenKey {
  const opener = createKeyOpener({ passphrase });
  return (path, bytes) => opener.open(path, bytes);
}

function authorityPart({ authority, passphrase }: Extract<IdentitySettings, { source: 'authority' }>): NamedPart {
  const { url, id, agent, method, token, keyType, keep } = authority;
  return {
    name: `authority at ${url}`,
    required: true,
    create: (watch) =>
      deferredSource(async () => {
        const secret = passphrase === undefined ? ok(undefined) : await readPassphrase(passphrase);
        if (!secret.ok) throw new Error(secret.error);
        return createAuthorityPart(
          { ...firstRootsOf(authority), trustDomain: domainOf(id), method, token, keyType, id: agent },
          {
            ...world,
            ...watch,
            random: createRandom(),
            client: createAuthorityClient({ url, id, method, token }, { ...world, readFile: readBounded }),
            ...(keep !== undefined && { keep: createIdentityKeep(keep, id, secret.value) }),
          },
        );
      }, watch.onProblem),
  };
}

function firstRootsOf({ trustBundle, trustBundlePem }: FirstRoots): FirstRoots {
  return trustBundlePem === undefined ? { trustBundle } : { trustBundlePem };
}

function workloadPart({ socket, id }: Extract<IdentitySettings, { source: 'workload-api' }>['workloadApi']): NamedPart {
  const address = socketOf(socket, process.env);
  return {
    name: 'workload-api',
    required: true,
    create: (watch) =>
      createWorkloadPart(
        { id },
        {
          ...world,
          ...watch,
          client: (stream) =>
            createWorkloadApiClient({ socket: address }, { ...world, random: createRandom(), ...stream }),
        },
      ),
  };
}

/** `known`: what all parts brought, for the newest bundle of the endpoint's own trust domain and for revocation lists. */
function federationPart(
  trustDomain: TrustDomain,
  endpoint: Endpoint,
  persist: string | undefined,
  known: () => readonly IdentityPart[],
  filesRead: Promise<void>,
): NamedPart {
  const { url, profile, id, trustBundle } = endpoint;
  return {
    name: `federation of ${trustDomain}`,
    create: (watch) =>
      deferredSource(async () => {
        await filesRead;
        const proof =
          profile === 'https_spiffe' && trustBundle !== undefined ? await certificatesIn(trustBundle) : undefined;
        const address: TrustAddress =
          id === undefined
            ? { kind: 'https_web', url, trustBundle }
            : { kind: 'https_spiffe', url, judge: (chain) => judgeEndpoint(chain, id, proof ?? [], known()) };
        // Roots of whoever serves the bundle; where that is another trust domain, nobody of this one is believed for them.
        const first = id !== undefined && domainOf(id) === trustDomain ? proof : undefined;
        const about = ['federation', url, trustDomain, ...(first ?? [])];
        const store = persist === undefined ? undefined : createTrustPollStore(persist, about);
        return createPoll({ kind: 'federation', url, trustDomain, first }, address, { ...watch, store });
      }, watch.onProblem),
  };
}

/** `proof`: roots that count until a part has newer ones of the endpoint's trust domain. */
function judgeEndpoint(
  chain: readonly Uint8Array[],
  id: string,
  proof: readonly Uint8Array[],
  parts: readonly IdentityPart[],
) {
  const parsed = parseSpiffeId(id);
  if (!parsed.ok) throw new TypeError(parsed.error.detail);
  const { id: spiffeId, trustDomain } = parsed.value;
  const newest = parts.find(({ bundles }) => bundles.has(trustDomain))?.bundles.get(trustDomain);
  const crls = parts.flatMap((part) => part.crls);
  return judgeBundleEndpoint(chain, { id: spiffeId, trustDomain, bundle: newest ?? proof, crls }, systemClock.wallMs());
}

function listPart(url: string, persist: string | undefined, issuers: () => readonly Uint8Array[]): NamedPart {
  const settings = { kind: 'revocation-list', url } as const;
  const store = persist === undefined ? undefined : createTrustPollStore(persist, ['revocation-list', url]);
  return { name: 'revocation list', create: (watch) => createPoll(settings, settings, { ...watch, store, issuers }) };
}

function createPoll(
  settings: TrustPollSettings,
  address: TrustAddress,
  deps: PartWatch & Pick<TrustPollDeps, 'store' | 'issuers'>,
): Source<IdentityPart> {
  const fetcher = createTrustFetcher(
    { ...address, timeoutMs: FETCH_MS },
    { readFile: readBounded, timer: systemTimer },
  );
  return createTrustPoll(settings, { ...world, ...deps, random: createRandom(), fetcher });
}

/** CA certificates that one part believes, and those above our own certificate. */
function issuersIn({ bundles, own }: IdentityPart): readonly Uint8Array[] {
  return [...[...bundles.values()].flat(), ...(own?.chain.slice(1) ?? [])];
}

async function certificatesIn(path: string): Promise<readonly Uint8Array[]> {
  const read = await readCertificates(path);
  if (!read.ok) throw new Error(read.error);
  return read.value;
}

/** IDs of a configuration were read by its schema: what is wrong here is a bug. */
function domainOf(id: string): TrustDomain {
  const parsed = parseSpiffeId(id);
  if (!parsed.ok) throw new TypeError(parsed.error.detail);
  return parsed.value.trustDomain;
}
