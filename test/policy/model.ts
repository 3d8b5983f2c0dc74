import { type TrustDomain, parseTrustDomain } from '../../ca/identity/trust-domain.ts';
import type { AuthorizationPolicy, Condition, Operation, Rule, Source } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { Kind, Meta } from '../../mesh/model/object.ts';
import type { PeerAuthentication } from '../../mesh/model/peer-authentication.ts';
import { type Port, parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Request } from '../../policy/evaluate/request.ts';

export function trustDomain(name: string): TrustDomain {
  const found = parseTrustDomain(name);
  if (!found.ok) throw new RangeError(found.reason);
  return found.value;
}

export function port(number: number): Port {
  const found = parsePort(number);
  if (found === undefined) throw new RangeError(`${number} is no port`);
  return found;
}

export function meta(kind: Kind, namespace: string, name: string, createdAt?: number): Meta {
  const origin = { file: 'test.yaml', line: 1 };
  return { kind, apiVersion: 'security.istio.io/v1', namespace, name, labels: {}, annotations: {}, createdAt, origin };
}

const NONE = Object.freeze({ values: [], notValues: [] });

export function given<T>(values: readonly T[] = [], notValues: readonly T[] = []): Condition<T> {
  return { values, notValues };
}

export function source(fields: Partial<Source>): Source {
  return {
    principals: NONE,
    requestPrincipals: NONE,
    namespaces: NONE,
    serviceAccounts: NONE,
    trustDomains: NONE,
    ipBlocks: NONE,
    remoteIpBlocks: NONE,
    ...fields,
  };
}

export function operation(fields: Partial<Operation>): Operation {
  return { hosts: NONE, ports: NONE, methods: NONE, paths: NONE, ...fields };
}

export function rule(fields: Partial<Rule>): Rule {
  return { from: [], to: [], when: [], ...fields };
}

export function policy(namespace: string, name: string, fields: Partial<AuthorizationPolicy>): AuthorizationPolicy {
  return {
    meta: meta('AuthorizationPolicy', namespace, name),
    action: 'ALLOW',
    provider: undefined,
    selector: {},
    targetRefs: [],
    rules: [],
    dryRun: false,
    ...fields,
  };
}

export function peerAuthentication(namespace: string, name: string, fields: Partial<PeerAuthentication>): PeerAuthentication {
  return { meta: meta('PeerAuthentication', namespace, name), selector: {}, mode: 'UNSET', portLevel: new Map(), ...fields };
}

export const MESH_CONFIG: MeshConfig = Object.freeze({
  trustDomain: trustDomain('cluster.local'),
  trustDomainAliases: [],
  rootNamespace: 'istio-system',
  clusterDomain: 'cluster.local',
  pathNormalization: 'BASE',
  outboundTrafficPolicy: 'ALLOW_ANY',
  enableAutoMtls: true,
});

export function snapshot(fields: Partial<Snapshot>): Snapshot {
  return {
    number: 1,
    meshConfig: MESH_CONFIG,
    namespaces: [],
    services: [],
    workloads: [],
    virtualServices: [],
    destinationRules: [],
    gateways: [],
    authorizationPolicies: [],
    peerAuthentications: [],
    requestAuthentications: [],
    rateLimits: [],
    telemetries: [],
    gatewayApi: [],
    configMaps: [],
    sidecars: [],
    ...fields,
  };
}

interface RequestParts {
  readonly source?: Partial<Request['source']>;
  readonly destination?: Partial<Request['destination']>;
  readonly http?: Partial<Request['http']>;
  readonly token?: Request['token'];
}

export function request(parts: RequestParts): Request {
  return {
    source: { principal: undefined, ip: undefined, remoteIp: undefined, ...parts.source },
    destination: {
      namespace: 'shop',
      labels: {},
      ip: undefined,
      port: undefined,
      protocol: 'HTTP',
      sni: undefined,
      ...parts.destination,
    },
    http: { method: undefined, host: undefined, path: undefined, headers: new Map(), ...parts.http },
    token: parts.token,
  };
}
