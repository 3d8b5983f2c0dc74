import type { JsonWebKeys } from '../../../mesh/model/json-web-keys.ts';
import type { RequestAuthentication } from '../../../mesh/model/request-authentication.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import { meta, peerAuthentication, port, snapshot } from '../model.ts';
import { AUTHORIZER_SERVICES } from './authorizers.ts';
import { PORTS } from './pools.ts';
import type { World } from './policies.ts';
import { ISSUERS } from './tokens.ts';

/** A world at an address: what the mesh knows of the one workload in it. */
export interface Place {
  readonly world: World;
  readonly snapshot: Snapshot;
  readonly workload: Workload;
  readonly address: string;
  /** Its own ports; where it listens on every address they are no numbers that policies speak of. */
  readonly ports: { readonly http: number; readonly tcp: number };
}

/** Where a world that takes IPv6 and IPv4 listens. */
export const DUAL_STACK = '::';

function workloadAt(address: string, ports: Place['ports']): Workload {
  const labels = { app: 'web' };
  return {
    meta: meta('Deployment', 'shop', 'web'),
    namespace: 'shop',
    name: 'web',
    serviceAccount: 'web',
    labels,
    ports: [
      { name: 'http', port: port(ports.http), protocol: 'http' },
      { name: 'tcp', port: port(ports.tcp), protocol: 'tcp' },
    ],
    image: undefined,
    replicas: 1,
    instances: [
      {
        name: 'web-0',
        address,
        labels,
        ready: true,
        meshed: true,
        capture: { kind: 'explicit', appAddress: '127.0.0.1' },
        bindAddress: address,
      },
    ],
  };
}

function authenticationsOf({ authentications }: World, keys: readonly JsonWebKeys[]): readonly RequestAuthentication[] {
  return authentications.map((rules, index) => ({
    meta: meta('RequestAuthentication', index === 0 ? 'shop' : 'istio-system', `tokens-${index}`),
    selector: {},
    targetRefs: [],
    rules: rules.map(({ issuer, ...rule }) => {
      const own = keys[issuer];
      if (own === undefined) throw new TypeError(`no keys of issuer ${issuer}`);
      return { ...rule, issuer: ISSUERS[issuer], keys: { kind: 'inline', keys: own } };
    }),
  }));
}

/**
 * @param keys of the issuers
 * @param ports for a world that listens on every address
 */
export function placeOf(world: World, address: string, keys: readonly JsonWebKeys[] = [], ports: Place['ports'] = PORTS): Place {
  const { policies, meshConfig, strict } = world;
  const workload = workloadAt(address, ports);
  return {
    world,
    workload,
    address,
    ports,
    snapshot: snapshot({
      meshConfig,
      workloads: [workload],
      services: AUTHORIZER_SERVICES,
      requestAuthentications: authenticationsOf(world, keys),
      authorizationPolicies: policies,
      peerAuthentications: strict ? [peerAuthentication('shop', 'default', { mode: 'STRICT' })] : [],
    }),
  };
}
