import { indexedBy } from './indexed-by.ts';
import type { MeshConfig } from './mesh-config.ts';
import type { Port } from './port.ts';
import type { Service, ServicePort } from './service.ts';
import type { Snapshot } from './snapshot.ts';
import type { TelemetryProvider } from './telemetry.ts';

/** How much of a request's body an authorizer is shown. */
export interface RequestBody {
  readonly maxRequestBytes: number;
  /** A longer body is shown in part; otherwise such a request is answered with 413. */
  readonly allowPartialMessage: boolean;
  readonly packAsBytes: boolean;
}

interface ExtAuthz {
  readonly name: string;
  /** `[NAMESPACE/]HOST`: without a namespace, the one Service of that name. */
  readonly service: { readonly namespace: string | undefined; readonly host: string };
  readonly port: Port;
  readonly timeoutMs: number;
  /** An authorizer that cannot be asked lets requests through. */
  readonly failOpen: boolean;
  /** What a request is answered with when the authorizer cannot be asked. */
  readonly statusOnError: number | undefined;
  readonly clearRouteCache: boolean;
  readonly body: RequestBody | undefined;
}

/** Header names as written: whole, `prefix*` or `*suffix`; case does not count. */
export type HeaderNames = readonly string[];

/** Istio's `envoyExtAuthzHttp`. */
export interface HttpExtAuthz extends ExtAuthz {
  readonly kind: 'ext-authz-http';
  readonly pathPrefix: string;
  readonly requestHeaders: HeaderNames;
  readonly additionalHeaders: Readonly<Record<string, string>>;
  readonly toUpstreamOnAllow: HeaderNames;
  readonly toDownstreamOnDeny: HeaderNames;
  readonly toDownstreamOnAllow: HeaderNames;
}

/** Istio's `envoyExtAuthzGrpc`. */
export interface GrpcExtAuthz extends ExtAuthz {
  readonly kind: 'ext-authz-grpc';
}

export type ExtAuthzProvider = HttpExtAuthz | GrpcExtAuthz;

export type ExtensionProvider =
  | ExtAuthzProvider
  /** A provider of something else (tracing, access logs); it cannot authorize. */
  | {
      readonly kind: 'other';
      readonly name: string;
      readonly field: string;
      /** Undefined for a kind that is not applied. */
      readonly telemetry?: TelemetryProvider;
    }
  /** Meant to authorize, but written so that it cannot: what policies with it match is denied. */
  | { readonly kind: 'unusable'; readonly name: string; readonly why: string };

/** Where an authorizer is asked. */
export interface Authorizer {
  readonly service: Service;
  readonly port: ServicePort;
}

export type FoundProvider =
  /** MeshConfig names it; whether it can be asked now depends on the mesh's services. */
  | { readonly kind: 'found'; readonly provider: ExtAuthzProvider; readonly authorizer: Authorizer }
  | { readonly kind: 'nowhere'; readonly provider: ExtAuthzProvider; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string };

const byHost = indexedBy<Service>(({ hostname }) => [hostname]);

/** The Service of an authorizer and its port, as Istio looks it up: in the namespace that is named, else wherever there is but one. */
export function authorizerOf(
  snapshot: Pick<Snapshot, 'services'>,
  { service, port }: Pick<ExtAuthzProvider, 'service' | 'port'>,
): Authorizer | string {
  const named = byHost(snapshot.services, service.host).filter(
    ({ meta }) => service.namespace === undefined || meta.namespace === service.namespace,
  );
  const [found, ...others] = named;
  const shown = service.namespace === undefined ? service.host : `${service.namespace}/${service.host}`;
  if (found === undefined) return `no Service ${shown} is in the mesh`;
  if (others.some(({ meta }) => meta.namespace !== found.meta.namespace))
    return `${shown} is in more than one namespace; write NAMESPACE/HOST`;
  const at = found.ports.find((one) => one.port === port && one.protocol !== 'udp');
  return at === undefined ? `the Service ${shown} has no port ${port}` : { service: found, port: at };
}

const UNNAMED = Object.freeze({
  kind: 'unusable',
  name: '',
  why: 'extensionProviders of the mesh configuration has none of that name',
} as const);

/** The provider of that name as MeshConfig has it. */
export function namedProvider(meshConfig: MeshConfig, name: string | undefined): ExtensionProvider {
  return meshConfig.extensionProviders?.find((one) => one.name === name) ?? UNNAMED;
}

/** What a CUSTOM policy's provider stands for. */
export function findProvider(snapshot: Snapshot, name: string | undefined): FoundProvider {
  const provider = namedProvider(snapshot.meshConfig, name);
  switch (provider.kind) {
    case 'other':
      return { kind: 'unknown', why: `it is of the kind ${provider.field}, which does not authorize` };
    case 'unusable':
      return { kind: 'unknown', why: provider.why };
    case 'ext-authz-http':
    case 'ext-authz-grpc': {
      const found = authorizerOf(snapshot, provider);
      return typeof found === 'string'
        ? { kind: 'nowhere', provider, why: found }
        : { kind: 'found', provider, authorizer: found };
    }
    default:
      return provider satisfies never;
  }
}

/** The authorizers that MeshConfig names, in the byte order of their names: that in which they are asked. */
export function authorizingProviders(meshConfig: MeshConfig): readonly ExtAuthzProvider[] {
  return (meshConfig.extensionProviders ?? [])
    .flatMap((one) => (one.kind === 'ext-authz-http' || one.kind === 'ext-authz-grpc' ? [one] : []))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
