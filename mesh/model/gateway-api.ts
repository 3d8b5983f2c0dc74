import type { ServerTls } from './gateway.ts';
import type { Hostname } from './hostname.ts';
import type { Labels, Meta } from './object.ts';
import type { Port } from './port.ts';
import type { Cors, HeaderMatch, HeaderOperations, Retries, StringMatch } from './virtual-service.ts';

// The kinds of gateway.networking.k8s.io as they are written (https://gateway-api.sigs.k8s.io/reference/spec/); mesh/gateway-api makes of them
// the Gateways and VirtualServices that routing compiles.

/** An object that is named from another one; the namespace is filled in. */
export interface ObjectRef {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface ParentRef extends ObjectRef {
  /** The namespace is written: status repeats a reference as it is. */
  readonly namespaced: boolean;
  readonly sectionName: string | undefined;
  readonly port: Port | undefined;
}

export interface BackendRef extends ObjectRef {
  readonly port: Port | undefined;
  readonly weight: number;
  readonly filters: readonly RouteFilter[];
}

export interface LabelSelector {
  readonly matchLabels: Labels;
  readonly matchExpressions: readonly { readonly key: string; readonly operator: string; readonly values: readonly string[] }[];
}

/** Namespaces from which others may attach. */
export type FromNamespaces =
  { readonly kind: 'Same' | 'All' | 'None' } | { readonly kind: 'Selector'; readonly selector: LabelSelector };

export type ListenerProtocol = 'HTTP' | 'HTTPS' | 'TLS' | 'TCP';

/** How clients show who they are: certificates of these authorities. */
export interface FrontendValidation {
  readonly authorities: readonly ObjectRef[];
  /** Requests without a valid certificate are let in too. */
  readonly insecure: boolean;
}

export interface Listener {
  readonly name: string;
  readonly hostname: Hostname | undefined;
  readonly port: Port;
  /** `other`: one that is not served here. */
  readonly protocol: ListenerProtocol | 'other';
  readonly from: FromNamespaces;
  /** Kinds of routes; empty: those of the protocol. */
  readonly kinds: readonly { readonly group: string; readonly kind: string }[];
  readonly tls: ServerTls;
  readonly certificates: readonly ObjectRef[];
}

export interface GatewayClass {
  readonly meta: Meta;
  readonly controller: string;
  /** An object with parameters, which have no effect here. */
  readonly parameters: ObjectRef | undefined;
}

export interface KubernetesGateway {
  readonly meta: Meta;
  readonly className: string;
  readonly listeners: readonly Listener[];
  /** Host names of Services whose pods are the gateway; empty: pods with the gateway's label. */
  readonly addresses: readonly Hostname[];
  readonly allowedListeners: FromNamespaces;
  /** Other addresses asked for: each is one to listen on, or of a type that is not there. */
  readonly otherAddresses: readonly { readonly type: string; readonly value: string }[];
  /** Client certificates, by port; `undefined` is every port that is not named. */
  readonly frontend: ReadonlyMap<Port | undefined, FrontendValidation>;
  /** The certificate shown to backends that ask for one. */
  readonly clientCertificate: ObjectRef | undefined;
  /** An object with parameters, which have no effect here. */
  readonly parameters: ObjectRef | undefined;
}

/** More listeners of a Gateway, of another owner. */
export interface ListenerSet {
  readonly meta: Meta;
  readonly parent: ObjectRef;
  readonly listeners: readonly Listener[];
}

export type PathModifier = { readonly kind: 'full' | 'prefix'; readonly value: string };

export type RouteFilter =
  | { readonly kind: 'request-headers' | 'response-headers'; readonly operations: HeaderOperations }
  | {
      readonly kind: 'redirect';
      readonly scheme: string | undefined;
      readonly host: string | undefined;
      readonly port: Port | undefined;
      readonly code: number;
      readonly path: PathModifier | undefined;
    }
  | { readonly kind: 'rewrite'; readonly host: string | undefined; readonly path: PathModifier | undefined }
  | { readonly kind: 'mirror'; readonly backend: BackendRef; readonly percentage: number }
  | { readonly kind: 'cors'; readonly cors: Cors }
  /** One that is not there: requests that would pass it are refused. */
  | { readonly kind: 'unavailable' };

export interface RequestMatch {
  readonly uri: StringMatch | undefined;
  readonly method: string | undefined;
  readonly headers: Readonly<Record<string, HeaderMatch>>;
  readonly queryParams: Readonly<Record<string, HeaderMatch>>;
}

/** A rule of an HTTPRoute or, its methods being paths, of a GRPCRoute. */
export interface RequestRule {
  readonly name: string | undefined;
  /** At least one. */
  readonly matches: readonly RequestMatch[];
  readonly filters: readonly RouteFilter[];
  readonly backends: readonly BackendRef[];
  /** 0: none. */
  readonly requestTimeoutMs: number | undefined;
  readonly backendTimeoutMs: number | undefined;
  readonly retries: Retries | undefined;
  readonly session?: RuleSession;
}

/** `sessionPersistence`; a name that is not given is made of the route's. */
export type RuleSession =
  | { readonly kind: 'header'; readonly name: string | undefined }
  | { readonly kind: 'cookie'; readonly name: string | undefined; readonly ttlMs: number | undefined };

interface Attached {
  readonly meta: Meta;
  readonly parents: readonly ParentRef[];
  readonly hostnames: readonly Hostname[];
}

export interface RequestRoute extends Attached {
  readonly kind: 'HTTPRoute' | 'GRPCRoute';
  readonly rules: readonly RequestRule[];
}

export interface ConnectionRoute extends Attached {
  readonly kind: 'TLSRoute' | 'TCPRoute';
  readonly rules: readonly { readonly backends: readonly BackendRef[] }[];
}

export interface ReferenceGrant {
  readonly meta: Meta;
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name: string | undefined }[];
}

export interface BackendTlsPolicy {
  readonly meta: Meta;
  readonly targets: readonly {
    readonly group: string;
    readonly kind: string;
    readonly name: string;
    readonly section: string | undefined;
  }[];
  readonly hostname: string;
  readonly subjectAltNames: readonly string[];
  /** Those of the operating system, or what these objects hold. */
  readonly authorities: 'system' | readonly ObjectRef[];
}

export type GatewayApiObject =
  | { readonly kind: 'GatewayClass'; readonly value: GatewayClass }
  | { readonly kind: 'KubernetesGateway'; readonly value: KubernetesGateway }
  | { readonly kind: 'ListenerSet'; readonly value: ListenerSet }
  | { readonly kind: 'HTTPRoute' | 'GRPCRoute'; readonly value: RequestRoute }
  | { readonly kind: 'TLSRoute' | 'TCPRoute'; readonly value: ConnectionRoute }
  | { readonly kind: 'ReferenceGrant'; readonly value: ReferenceGrant }
  | { readonly kind: 'BackendTLSPolicy'; readonly value: BackendTlsPolicy };
