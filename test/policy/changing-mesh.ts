// A small mesh that changes step by step, all that does not change staying the same objects.
import * as fc from 'fast-check';
import { parseIdentity, parseSerial } from '../../ca/revocation/revocation.ts';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { ExtensionProvider } from '../../mesh/model/extension-provider.ts';
import { type Hostname, parseHostname } from '../../mesh/model/hostname.ts';
import { parseJsonWebKeys } from '../../mesh/model/json-web-keys.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Labels } from '../../mesh/model/object.ts';
import type { PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import type { RateLimit } from '../../mesh/model/rate-limit.ts';
import type { RequestAuthentication } from '../../mesh/model/request-authentication.ts';
import type { Service } from '../../mesh/model/service.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { type KnownKeys, locationOf, NO_KEYS } from '../../policy/jwks/known.ts';
import { must } from '../ca/identity/must.ts';
import { given, MESH_CONFIG, meta, operation, peerAuthentication, policy, port, rule, snapshot, source } from './model.ts';
import { instance } from '../xds/workloads.ts';

function hostname(text: string): Hostname {
  const found = parseHostname(text);
  if (found === undefined) throw new RangeError(`${text} is no host`);
  return found;
}

const NAMESPACES = ['istio-system', 'a', 'b', 'c'] as const;
const SELECTORS: readonly Labels[] = [{}, {}, { app: 'x' }, { app: 'y' }, { app: 'x', tier: 'z' }];
const LABELS: readonly Labels[] = [
  { app: 'x' },
  { app: 'y' },
  { app: 'x', tier: 'z' },
  { 'gateway.networking.k8s.io/gateway-name': 'gw' },
];
const GATEWAY = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'gw' } as const;
const ACTIONS = ['ALLOW', 'ALLOW', 'DENY', 'AUDIT', 'CUSTOM'] as const;
export const PORTS = [8080, 9090].map(port);
const HOST = hostname('authz.a.svc.cluster.local');
const REMOTE = { kind: 'uri', uri: 'https://keys.test/', timeoutMs: 1000 } as const;

const PROVIDER: ExtensionProvider = {
  kind: 'ext-authz-grpc',
  name: 'rpc',
  service: { namespace: undefined, host: HOST },
  port: port(9000),
  timeoutMs: 1000,
  failOpen: false,
  statusOnError: undefined,
  clearRouteCache: false,
  body: undefined,
};

const KEYS = ['one', 'two'].map(
  (kid) =>
    must(
      parseJsonWebKeys(JSON.stringify({ keys: [{ kty: 'oct', kid, k: Buffer.from(`the key ${kid}`).toString('base64url') }] })),
    ).keys,
);

export interface State {
  readonly meshConfig: MeshConfig;
  readonly services: readonly Service[];
  readonly workloads: readonly Workload[];
  readonly authorizationPolicies: readonly AuthorizationPolicy[];
  readonly peerAuthentications: readonly PeerAuthentication[];
  readonly requestAuthentications: readonly RequestAuthentication[];
  readonly rateLimits: readonly RateLimit[];
  readonly revoked: RevokedPeers;
  readonly keys: KnownKeys;
}

export const start = (): State => ({
  meshConfig: { ...MESH_CONFIG, extensionProviders: [PROVIDER] },
  services: [],
  workloads: [],
  authorizationPolicies: [],
  peerAuthentications: [],
  requestAuthentications: [],
  rateLimits: [],
  revoked: { identities: [], serials: [] },
  keys: NO_KEYS,
});

/** What a change is made from: small numbers, of which each is used for one choice. */
interface Change {
  readonly kind: number;
  readonly namespace: number;
  readonly name: number;
  readonly choice: number;
  readonly value: number;
}

function pick<T>(from: readonly T[], at: number): T {
  const found = from[at % from.length];
  if (found === undefined) throw new RangeError('nothing to pick from');
  return found;
}

interface Named {
  readonly meta: { readonly namespace: string; readonly name: string };
}

/** Sets the object, or takes it away when it is undefined; all others stay the same objects, in the order of a snapshot. */
function put<T extends Named>(all: readonly T[], namespace: string, name: string, made: T | undefined): readonly T[] {
  const others = all.filter(({ meta: one }) => one.namespace !== namespace || one.name !== name);
  const key = ({ meta: one }: T) => `${one.namespace} ${one.name}`;
  return Object.freeze([...others, ...(made === undefined ? [] : [made])].sort((a, b) => (key(a) < key(b) ? -1 : 1)));
}

function authorization({ choice, value }: Change, namespace: string, name: string): AuthorizationPolicy {
  const action = pick(ACTIONS, choice);
  const targeted = value % 7 === 0;
  return policy(namespace, name, {
    action,
    provider: action === 'CUSTOM' ? pick(['rpc', 'absent'], value) : undefined,
    selector: targeted ? {} : pick(SELECTORS, value),
    targetRefs: targeted ? [GATEWAY] : [],
    dryRun: action !== 'CUSTOM' && action !== 'AUDIT' && value % 5 === 0,
    rules: [
      rule({
        from: [source({ principals: given([{ kind: 'exact', value: `cluster.local/ns/a/sa/s${value}` }]) })],
        to: [
          operation({
            ports: given([8080 + (value % 2)]),
            paths: given(value % 3 === 0 ? [] : [{ kind: 'prefix', value: `/${choice}` }]),
          }),
        ],
      }),
    ],
  });
}

function authentication({ choice, value }: Change, namespace: string, name: string): RequestAuthentication {
  return {
    meta: meta('RequestAuthentication', namespace, name),
    selector: pick(SELECTORS, value),
    targetRefs: [],
    rules: [
      {
        issuer: `https://issuer-${choice}.test`,
        audiences: [],
        keys: REMOTE,
        fromHeaders: [],
        fromParams: [],
        fromCookies: [],
        forwardOriginalToken: false,
        outputPayloadToHeader: undefined,
        outputClaimToHeaders: value % 2 === 0 ? [] : [{ claim: 'sub', header: `x-${value}` }],
        spaceDelimitedClaims: [],
        required: false,
      },
    ],
  };
}

function limit({ choice, value }: Change, namespace: string, name: string): RateLimit {
  const by = choice % 2 === 0 ? ({ kind: 'all' } as const) : ({ kind: 'clientAddress' } as const);
  const one = { name: 'l', requests: value + 1, perMs: 1000, burst: 1, match: undefined, clientAddresses: [], by };
  return { meta: meta('RateLimit', namespace, name), selector: pick(SELECTORS, value), limits: [one] };
}

function workload({ choice, value }: Change, namespace: string, name: string): Workload {
  const labels = pick(LABELS, choice);
  const pods = Array.from({ length: value % 3 }, (_, index) => instance(`${name}-${index}`, `10.0.0.${index + 1}`, labels));
  return {
    meta: meta('Deployment', namespace, name),
    namespace,
    name,
    serviceAccount: `s${value % 4}`,
    labels,
    ports: [],
    image: undefined,
    replicas: pods.length,
    instances: pods,
  };
}

const SERVICE = (value: number): Service => ({
  meta: meta('Service', 'a', 'authz'),
  hostname: HOST,
  selector: undefined,
  ports: [{ name: 'grpc', port: port(9000 + (value % 2)), targetPort: port(9000), protocol: 'grpc' }],
  addresses: [],
  resolution: 'endpoints',
  endpoints: [],
  external: false,
  exportTo: { kind: 'all' },
});

export function changed(state: State, change: Change): State {
  const namespace = pick(NAMESPACES, change.namespace);
  const name = `o${change.name}`;
  const away = change.value % 4 === 3;
  switch (change.kind) {
    case 0:
      return { ...state, workloads: put(state.workloads, namespace, name, away ? undefined : workload(change, namespace, name)) };
    case 1: {
      const made = peerAuthentication(namespace, name, {
        mode: pick(['STRICT', 'PERMISSIVE', 'DISABLE', 'UNSET'] as const, change.choice),
        selector: pick(SELECTORS, change.value),
        portLevel: new Map(change.value % 2 === 0 ? [] : [[port(8080), 'DISABLE'] as const]),
      });
      return { ...state, peerAuthentications: put(state.peerAuthentications, namespace, name, away ? undefined : made) };
    }
    case 2:
      return {
        ...state,
        requestAuthentications: put(
          state.requestAuthentications,
          namespace,
          name,
          away ? undefined : authentication(change, namespace, name),
        ),
      };
    case 3:
      return { ...state, rateLimits: put(state.rateLimits, namespace, name, away ? undefined : limit(change, namespace, name)) };
    case 4: {
      const identity = must(parseIdentity(`cluster.local/ns/${namespace}/sa/s${change.choice % 4}`));
      const serials = change.value % 2 === 0 ? [] : [must(parseSerial(`0${change.value + 1}`))];
      return { ...state, revoked: away ? { identities: [], serials } : { identities: [identity], serials } };
    }
    case 5: {
      return { ...state, keys: away ? NO_KEYS : new Map([[locationOf(REMOTE), pick(KEYS, change.value)]]) };
    }
    case 6:
      return { ...state, services: away ? [] : [SERVICE(change.value)] };
    case 7:
      return { ...state, meshConfig: { ...state.meshConfig, trustDomainAliases: away ? [] : ['old.test'] } };
    default:
      return {
        ...state,
        authorizationPolicies: put(
          state.authorizationPolicies,
          namespace,
          name,
          away ? undefined : authorization(change, namespace, name),
        ),
      };
  }
}

/** Lists that never change. */
const EMPTY = Object.freeze({ namespaces: [], gateways: [], virtualServices: [], destinationRules: [] });

export const snapshotOf = ({ revoked: _revoked, keys: _keys, ...fields }: State, number: number): Snapshot =>
  snapshot({ ...EMPTY, ...fields, number });

export const CHANGE = fc.record({
  kind: fc.integer({ min: 0, max: 12 }),
  namespace: fc.nat(3),
  name: fc.nat(3),
  choice: fc.nat(11),
  value: fc.nat(20),
});
