import type { Hostname } from './hostname.ts';
import type { Labels, Meta } from './object.ts';
import type { Port } from './port.ts';
import type { Visibility } from './service.ts';

export type StringMatch =
  | { readonly kind: 'exact'; readonly value: string }
  /** `segments`: of a path, by whole segments (`/a` is no prefix of `/ab`). */
  | { readonly kind: 'prefix'; readonly value: string; readonly segments?: boolean }
  /** RE2, and the whole value must match. */
  | { readonly kind: 'regex'; readonly value: string };

export type HeaderMatch = StringMatch | { readonly kind: 'present' };

/** All that is given must hold. */
export interface HttpMatch {
  readonly name: string | undefined;
  readonly uri: StringMatch | undefined;
  readonly ignoreUriCase: boolean;
  readonly scheme: StringMatch | undefined;
  readonly method: StringMatch | undefined;
  readonly authority: StringMatch | undefined;
  readonly headers: Readonly<Record<string, HeaderMatch>>;
  readonly withoutHeaders: Readonly<Record<string, HeaderMatch>>;
  readonly queryParams: Readonly<Record<string, HeaderMatch>>;
  readonly port: Port | undefined;
  readonly sourceLabels: Labels;
  readonly sourceNamespace: string | undefined;
  readonly gateways: readonly GatewayName[];
  readonly statPrefix: string | undefined;
}

/** Asks for nothing. */
export const ANY_REQUEST: HttpMatch = Object.freeze({
  name: undefined,
  uri: undefined,
  ignoreUriCase: false,
  scheme: undefined,
  method: undefined,
  authority: undefined,
  headers: {},
  withoutHeaders: {},
  queryParams: {},
  port: undefined,
  sourceLabels: {},
  sourceNamespace: undefined,
  gateways: [],
  statPrefix: undefined,
});

/** `mesh` (every sidecar) or `namespace/name` of a Gateway. */
export type GatewayName = string;

export interface Destination {
  readonly host: Hostname;
  readonly subset: string | undefined;
  readonly port: Port | undefined;
}

export interface HeaderOperations {
  readonly set: Labels;
  readonly add: Labels;
  readonly remove: readonly string[];
}

export interface Headers {
  readonly request: HeaderOperations;
  readonly response: HeaderOperations;
}

export interface RouteDestination {
  readonly destination: Destination;
  readonly weight: number;
  readonly headers: Headers | undefined;
}

export interface Rewrite {
  readonly uri: string | undefined;
  readonly uriRegex: { readonly match: string; readonly rewrite: string } | undefined;
  readonly authority: string | undefined;
}

export interface Redirect {
  readonly uri: string | undefined;
  /** Takes the place of what the match's prefix matched. */
  readonly prefix: string | undefined;
  readonly uriRegex?: Rewrite['uriRegex'];
  readonly authority: string | undefined;
  readonly scheme: string | undefined;
  readonly port: Port | 'request' | undefined;
  readonly code: number;
}

/** Percentages are 0 to 100 with fractions. */
export interface Fault {
  readonly delay: { readonly percentage: number; readonly fixedMs: number } | undefined;
  readonly abort:
    { readonly percentage: number; readonly httpStatus: number | undefined; readonly grpcStatus: number | undefined } | undefined;
}

export interface Retries {
  readonly attempts: number;
  readonly perTryTimeoutMs: number | undefined;
  readonly retryOn: readonly string[];
  readonly retryRemoteLocalities: boolean;
  /** A retry goes to an endpoint that was not tried yet, where there is one; undefined: unless a hash chooses the endpoint. */
  readonly ignorePreviousHosts: boolean | undefined;
  /** The shortest wait between tries; undefined: Envoy's 25 ms. */
  readonly backoffMs: number | undefined;
}

export interface Cors {
  readonly allowOrigins: readonly StringMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeMs: number | undefined;
  readonly allowCredentials: boolean | undefined;
  /** Preflights of other origins go on to the application; undefined: Envoy's default, they do. */
  readonly forwardUnmatched: boolean | undefined;
}

export interface Mirror {
  readonly destination: Destination;
  readonly percentage: number;
}

export type RouteAction =
  | { readonly kind: 'route'; readonly destinations: readonly RouteDestination[] }
  | { readonly kind: 'redirect'; readonly redirect: Redirect }
  /** `base64`: a body that is no text, beside which `body` is what can be shown of it. */
  | { readonly kind: 'direct-response'; readonly status: number; readonly body: string | undefined; readonly base64?: string }
  /** The routes of a VirtualService without hosts, in whose place this one stands. */
  | { readonly kind: 'delegate'; readonly namespace: string; readonly name: string };

export interface HttpRoute {
  readonly name: string | undefined;
  /** One of these must match; empty matches all. */
  readonly match: readonly HttpMatch[];
  readonly action: RouteAction;
  readonly rewrite: Rewrite | undefined;
  readonly timeoutMs: number | undefined;
  readonly retries: Retries | undefined;
  readonly fault: Fault | undefined;
  readonly mirrors: readonly Mirror[];
  readonly cors: Cors | undefined;
  readonly headers: Headers | undefined;
  /** The answer where a destination is not there; undefined: 503. */
  readonly unknownDestination?: 500;
  /** Requests of one client go on to the server that took the first (Gateway API; at gateways). */
  readonly session?: Session;
}

/** By what a client shows to which server it belongs; the server's address is in it. */
export type Session =
  | { readonly kind: 'header'; readonly name: string }
  | {
      readonly kind: 'cookie';
      readonly name: string;
      readonly path: string;
      /** Undefined: as long as the client runs. */
      readonly ttlMs: number | undefined;
    };

/** Of a connection; all that is given must hold. */
export interface L4Match {
  /** CIDR blocks or addresses of the original destination. */
  readonly destinationSubnets: readonly string[];
  readonly port: Port | undefined;
  readonly sourceLabels: Labels;
  readonly sourceNamespace: string | undefined;
  readonly gateways: readonly GatewayName[];
}

export interface TlsMatch extends L4Match {
  /** The server names (SNI) that the client may ask for. */
  readonly sniHosts: readonly Hostname[];
}

/** TLS that the destination ends. */
export interface TlsRoute {
  readonly match: readonly TlsMatch[];
  readonly destinations: readonly RouteDestination[];
}

export interface TcpRoute {
  /** One of these must match; empty matches all. */
  readonly match: readonly L4Match[];
  readonly destinations: readonly RouteDestination[];
}

export interface VirtualService {
  readonly meta: Meta;
  readonly hosts: readonly Hostname[];
  readonly gateways: readonly GatewayName[];
  readonly exportTo: Visibility;
  /** In the order written; the first route that matches is taken. */
  readonly http: readonly HttpRoute[];
  readonly tls: readonly TlsRoute[];
  readonly tcp: readonly TcpRoute[];
}
