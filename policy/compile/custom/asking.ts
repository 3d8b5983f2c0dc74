import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack, type Duration, DurationSchema } from '@bufbuild/protobuf/wkt';
import type { GrpcServiceSchema } from '#gen/envoy/config/core/v3/grpc_service_pb.js';
import { ApiVersion } from '#gen/envoy/config/core/v3/config_source_pb.js';
import { ExtAuthzSchema, type HttpServiceSchema } from '#gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js';
import { ExtAuthzSchema as TcpExtAuthzSchema } from '#gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js';
import type { ListStringMatcherSchema, StringMatcherSchema } from '#gen/envoy/type/matcher/v3/string_pb.js';
import type { MetadataMatcherSchema } from '#gen/envoy/type/matcher/v3/metadata_pb.js';
import { StatusCode } from '#gen/envoy/type/v3/http_status_pb.js';
import {
  authorizerOf,
  type ExtAuthzProvider,
  type GrpcExtAuthz,
  type HeaderNames,
  type HttpExtAuthz,
} from '../../../mesh/model/extension-provider.ts';
import type { Hostname } from '../../../mesh/model/hostname.ts';
import type { Port } from '../../../mesh/model/port.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Layer } from '../field.ts';
import { markKey, markOf } from './marks.ts';

/** How routing calls clusters. */
export interface Clusters {
  of(port: Port, host: Hostname): string;
  /** One that takes no call; every proxy has it. */
  readonly none: string;
}

/** Where a provider is asked. While its Service is not in the mesh nobody can be, and nothing may then get through: not even by failOpen. */
export interface Target {
  readonly cluster: string;
  readonly host: string;
  readonly failOpen: boolean;
}

export function targetOf(snapshot: Pick<Snapshot, 'services'>, provider: ExtAuthzProvider, clusters: Clusters): Target {
  const found = authorizerOf(snapshot, provider);
  const host = provider.service.host;
  if (typeof found === 'string') return { cluster: clusters.none, host, failOpen: false };
  return { cluster: clusters.of(found.port.port, found.service.hostname), host, failOpen: provider.failOpen };
}

function duration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 });
}

/** Only what a rule of this provider matched is asked about. */
function whenMarked(provider: ExtAuthzProvider, layer: Layer): MessageInitShape<typeof MetadataMatcherSchema> {
  return {
    filter: layer === 'http' ? 'envoy.filters.http.rbac' : 'envoy.filters.network.rbac',
    path: [{ segment: { case: 'key', value: markKey(provider.name) } }],
    value: {
      matchPattern: { case: 'stringMatch', value: { matchPattern: { case: 'prefix', value: markOf(provider.name) } } },
    },
  };
}

function headerMatcher(name: string): MessageInitShape<typeof StringMatcherSchema> {
  if (name === '*') return { matchPattern: { case: 'safeRegex', value: { regex: '.*' } } };
  if (name.startsWith('*')) return { matchPattern: { case: 'suffix', value: name.slice(1) }, ignoreCase: true };
  if (name.endsWith('*')) return { matchPattern: { case: 'prefix', value: name.slice(0, -1) }, ignoreCase: true };
  return { matchPattern: { case: 'exact', value: name }, ignoreCase: true };
}

function headerMatchers(names: HeaderNames): MessageInitShape<typeof ListStringMatcherSchema> | undefined {
  return names.length === 0 ? undefined : { patterns: names.map(headerMatcher) };
}

/** Members that are undefined are left out, as the message types ask. */
function given<T>(name: string, value: T | undefined): Record<string, T> {
  return value === undefined ? {} : { [name]: value };
}

function httpService(provider: HttpExtAuthz, { cluster, host }: Target): MessageInitShape<typeof HttpServiceSchema> {
  const added = Object.entries(provider.additionalHeaders).map(([key, value]) => ({ key, value }));
  return {
    // The address is asked for but not used: the cluster says where.
    serverUri: {
      uri: `http://${host}`,
      httpUpstreamType: { case: 'cluster', value: cluster },
      timeout: duration(provider.timeoutMs),
    },
    pathPrefix: provider.pathPrefix,
    ...(added.length === 0 ? {} : { authorizationRequest: { headersToAdd: added } }),
    authorizationResponse: {
      ...given('allowedUpstreamHeaders', headerMatchers(provider.toUpstreamOnAllow)),
      ...given('allowedClientHeaders', headerMatchers(provider.toDownstreamOnDeny)),
      ...given('allowedClientHeadersOnSuccess', headerMatchers(provider.toDownstreamOnAllow)),
    },
  };
}

function grpcService(provider: ExtAuthzProvider, { cluster, host }: Target): MessageInitShape<typeof GrpcServiceSchema> {
  return {
    targetSpecifier: { case: 'envoyGrpc', value: { clusterName: cluster, authority: host } },
    timeout: duration(provider.timeoutMs),
  };
}

type HttpServices = NonNullable<MessageInitShape<typeof ExtAuthzSchema>['services']>;

function services(provider: ExtAuthzProvider, target: Target): HttpServices {
  switch (provider.kind) {
    case 'ext-authz-http':
      return { case: 'httpService', value: httpService(provider, target) };
    case 'ext-authz-grpc':
      return { case: 'grpcService', value: grpcService(provider, target) };
    default:
      return provider satisfies never;
  }
}

/** Without one, or with one that Envoy does not know, 403. */
function statusCode(status: number | undefined): StatusCode {
  const found = Object.values(StatusCode).find((one) => one === status);
  return typeof found === 'number' ? found : StatusCode.Forbidden;
}

/** The filter that asks a provider about the requests that were marked for it. */
export function httpAsking(provider: ExtAuthzProvider, target: Target): Any {
  const { body, statusOnError } = provider;
  const config = create(ExtAuthzSchema, {
    services: services(provider, target),
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: target.failOpen,
    clearRouteCache: provider.clearRouteCache,
    filterEnabledMetadata: whenMarked(provider, 'http'),
    ...(body === undefined ? {} : { withRequestBody: { ...body } }),
    statusOnError: { code: statusCode(statusOnError) },
    ...(provider.kind === 'ext-authz-http' ? given('allowedHeaders', headerMatchers(provider.requestHeaders)) : {}),
  });
  return anyPack(ExtAuthzSchema, config);
}

/** As {@link httpAsking}, about a connection. */
export function tcpAsking(provider: GrpcExtAuthz, target: Target): Any {
  const config = create(TcpExtAuthzSchema, {
    statPrefix: 'tcp.',
    grpcService: grpcService(provider, target),
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: target.failOpen,
    filterEnabledMetadata: whenMarked(provider, 'tcp'),
  });
  return anyPack(TcpExtAuthzSchema, config);
}
