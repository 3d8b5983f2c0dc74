import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { type TypedExtensionConfig, TypedExtensionConfigSchema } from '#gen/envoy/config/core/v3/extension_pb.js';
import { RBACSchema } from '#gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js';
import {
  type HttpFilter,
  HttpFilterSchema,
} from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { RevokedPeers } from '../../ca/revocation/list.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { httpAuthorization, tcpAuthorization } from '../../policy/compile/authorization.ts';
import { peerFilter } from '../../policy/compile/peer.ts';
import { NOBODY } from '../../policy/compile/revoked.ts';
import { mtlsMode } from '../../policy/peer-authentication/mode.ts';
import type { InboundSecurity } from '../../routing/security.ts';
import { adsSource } from '../../routing/wire/config-source.ts';

/** What policy says about traffic into a workload, in the form in which routing puts it into listeners: all of it inline. */
export function inboundSecurity(snapshot: Snapshot, workload: Workload): InboundSecurity {
  const http = httpAuthorization(snapshot, workload);
  return withFilters(snapshot, workload, http);
}

function withFilters(
  snapshot: Snapshot,
  workload: Workload,
  http: readonly HttpFilter[],
  revoked: RevokedPeers = NOBODY,
): InboundSecurity {
  const network = tcpAuthorization(snapshot, workload, revoked);
  return {
    mtlsMode: (port) => mtlsMode(snapshot, workload, port),
    peerMtlsMode: (peer, port) => mtlsMode(snapshot, peer, port),
    httpFilters: () => http,
    networkFilters: () => network,
  };
}

/** The filters that come as resources of their own. DENY first: see docs/decisions/0004. */
const DISCOVERED = Object.freeze(['envoy.filters.http.rbac.deny', 'envoy.filters.http.rbac.allow']);

/** Envoy waits with a listener until these have arrived, and answers 500 without them: never without policy. */
const FILTERS: readonly HttpFilter[] = Object.freeze([
  peerFilter(),
  ...DISCOVERED.map((name) =>
    create(HttpFilterSchema, {
      name,
      configType: {
        case: 'configDiscovery',
        value: { configSource: adsSource(), typeUrls: [`type.googleapis.com/${RBACSchema.typeName}`] },
      },
    }),
  ),
]);

/** A filter that has nothing to decide. */
const NO_RULES = anyPack(RBACSchema, create(RBACSchema));

export interface DiscoveredSecurity {
  readonly security: InboundSecurity;
  readonly extensions: readonly TypedExtensionConfig[];
}

/**
 * As {@link inboundSecurity}, but with HTTP policy in resources of its own (ECDS), so that a changed policy decides over
 * the next request on connections that are open already, and no listener is drained for it. Revoked peers are denied whatever policies say.
 */
export function discoveredSecurity(snapshot: Snapshot, workload: Workload, revoked: RevokedPeers): DiscoveredSecurity {
  const inline = httpAuthorization(snapshot, workload, revoked);
  const extensions = DISCOVERED.map((name) => {
    const config = inline.find((filter) => filter.name === name)?.configType;
    const typedConfig = config?.case === 'typedConfig' ? config.value : NO_RULES;
    return create(TypedExtensionConfigSchema, { name, typedConfig });
  });
  return { security: withFilters(snapshot, workload, FILTERS, revoked), extensions };
}
