import type { ExtAuthzProvider } from '../../../mesh/model/extension-provider.ts';
import { type Hostname, parseHostname } from '../../../mesh/model/hostname.ts';
import type { Service } from '../../../mesh/model/service.ts';
import { outboundCluster } from '../../../routing/names.ts';
import { startGrpcAuthorizer, startHttpAuthorizer } from '../ext-authz/servers.ts';
import { meta, port } from '../model.ts';

function host(name: string): Hostname {
  const found = parseHostname(`${name}.authz.svc.cluster.local`);
  if (found === undefined) throw new TypeError(`no host name: ${name}`);
  return found;
}

const PORT = port(9000);

function common(name: string) {
  return {
    name,
    service: { namespace: undefined, host: host(name) },
    port: PORT,
    timeoutMs: 10_000,
    failOpen: false,
    statusOnError: undefined,
    clearRouteCache: false,
    body: undefined,
  };
}

/** Providers of every world: of the last, the Service is not there. */
export const EXTENSION_PROVIDERS: readonly ExtAuthzProvider[] = Object.freeze([
  {
    ...common('authz-http'),
    kind: 'ext-authz-http',
    pathPrefix: '',
    requestHeaders: ['x-ext-authz'],
    additionalHeaders: {},
    toUpstreamOnAllow: [],
    toDownstreamOnDeny: [],
    toDownstreamOnAllow: [],
  },
  { ...common('authz-grpc'), kind: 'ext-authz-grpc' },
  { ...common('nowhere'), kind: 'ext-authz-grpc' },
]);

function service(name: string): Service {
  return {
    meta: meta('Service', 'authz', name),
    hostname: host(name),
    addresses: [],
    ports: [{ name: 'authz', port: PORT, targetPort: PORT, protocol: name === 'authz-grpc' ? 'grpc' : 'http' }],
    selector: { app: name },
    resolution: 'endpoints',
    external: false,
    endpoints: [],
    exportTo: { kind: 'all' },
  };
}

export const AUTHORIZER_SERVICES: readonly Service[] = Object.freeze([service('authz-http'), service('authz-grpc')]);

/** The clusters under which proxies know them. */
export const CLUSTERS_OF_AUTHORIZERS = Object.freeze({
  http: outboundCluster(PORT, undefined, host('authz-http')),
  grpc: outboundCluster(PORT, undefined, host('authz-grpc')),
});

export interface Authorizers {
  readonly ports: { readonly http: number; readonly grpc: number };
  stop(): Promise<void>;
}

/** Authorizers that allow what carries `x-ext-authz: allow`, over HTTP and over gRPC. */
export async function startAuthorizers(): Promise<Authorizers> {
  const [http, grpc] = await Promise.all([startHttpAuthorizer('127.0.0.1'), startGrpcAuthorizer('127.0.0.1')]);
  return {
    ports: { http: http.port, grpc: grpc.port },
    stop: async () => {
      await Promise.all([http.stop(), grpc.stop()]);
    },
  };
}
