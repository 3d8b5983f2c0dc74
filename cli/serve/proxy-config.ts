import { type DescMessage, fromBinary, type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { ClusterSchema } from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { TypedExtensionConfigSchema } from '#gen/envoy/config/core/v3/extension_pb.js';
import { ClusterLoadAssignmentSchema } from '#gen/envoy/config/endpoint/v3/endpoint_pb.js';
import { ListenerSchema } from '#gen/envoy/config/listener/v3/listener_pb.js';
import { VirtualHostSchema } from '#gen/envoy/config/route/v3/route_components_pb.js';
import { RouteConfigurationSchema } from '#gen/envoy/config/route/v3/route_pb.js';
import { SecretSchema } from '#gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { EXTENSIONS } from '../../routing/wire/registry.ts';
import {
  CLUSTER,
  ENDPOINTS,
  EXTENSION_CONFIG,
  LISTENER,
  ROUTES,
  SECRET,
  TYPE_URLS,
  type TypeUrl,
  VIRTUAL_HOST,
} from '../../xds/resource-set.ts';
import type { Holding } from '../../xds/stream/service.ts';
import { SHORT_NAMES } from '../../xds/stream/short-names.ts';

const SCHEMAS: Readonly<Record<TypeUrl, DescMessage>> = Object.freeze({
  [CLUSTER]: ClusterSchema,
  [ENDPOINTS]: ClusterLoadAssignmentSchema,
  [EXTENSION_CONFIG]: TypedExtensionConfigSchema,
  [LISTENER]: ListenerSchema,
  [ROUTES]: RouteConfigurationSchema,
  [SECRET]: SecretSchema,
  [VIRTUAL_HOST]: VirtualHostSchema,
});

/** One resource as a proxy has been told it. */
export interface ConfiguredResource {
  /** CDS, EDS, LDS ... */
  readonly type: string;
  readonly name: string;
  readonly version: string;
  /** `acknowledged`, `sent` (no answer yet), `rejected` (it keeps what it had), `waiting` (not told yet). */
  readonly state: Holding['standing']['kind'];
  /** The proxy's words, where it was rejected. */
  readonly message?: string;
  readonly resource: JsonValue;
}

/** The types whose short names are given, or undefined when one is none. */
export function typesNamed(names: readonly string[]): readonly TypeUrl[] | undefined {
  const types = names.map((name) => TYPE_URLS.find((type) => SHORT_NAMES[type] === name));
  const found = types.filter((type) => type !== undefined);
  return found.length === types.length ? found : undefined;
}

export function configuredResource({ typeUrl, resource, standing }: Holding): ConfiguredResource {
  const { name, version, any } = resource;
  const schema = SCHEMAS[typeUrl];
  const message = fromBinary(schema, fromBinary(AnySchema, any).value);
  return {
    type: SHORT_NAMES[typeUrl],
    name,
    version,
    state: standing.kind,
    ...(standing.kind === 'rejected' && { message: standing.message }),
    resource: withoutSecrets(toJson(schema, message, { registry: EXTENSIONS })),
  };
}

const HIDDEN = '[not shown]';
/** Fields of Envoy's messages that hold a secret. Nothing that is sent over xDS should have one; what users write into headers may. */
const SECRET_FIELDS = /^(privateKey|password|tokenSecret|hmacSecret|sessionTicketKeys|inlineCredential)$/;
const SECRET_HEADERS = /authorization|cookie|token|secret|password|api-?key|credential/i;

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy in which keys, passwords and the values of headers that carry credentials are not shown. */
export function withoutSecrets(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (!isObject(value)) return value;
  const { key } = value;
  const carries = typeof key === 'string' && SECRET_HEADERS.test(key);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      SECRET_FIELDS.test(name) || (carries && (name === 'value' || name === 'rawValue')) ? HIDDEN : withoutSecrets(inner),
    ]),
  );
}
