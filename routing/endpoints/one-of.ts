// Choosing one endpoint of a cluster (Envoy's load balancer subsets): for headless Services, of which a name or an address is one pod.
import type { JsonObject } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import {
  type Cluster_LbSubsetConfig,
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  Cluster_LbSubsetConfig_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
  Cluster_LbSubsetConfigSchema,
} from '#gen/envoy/config/cluster/v3/cluster_pb.js';
import { type Metadata, MetadataSchema } from '#gen/envoy/config/core/v3/base_pb.js';
import type { Endpoint } from '../../mesh/model/endpoints.ts';
import type { Service } from '../../mesh/model/service.ts';

const METADATA = 'envoy.lb';
type Key = 'hostname' | 'address';

/** What an endpoint of a headless Service is chosen by. */
export function chosenBy({ hostname, address }: Endpoint): Readonly<Record<string, JsonObject>> {
  return { [METADATA]: { address, ...(hostname === undefined ? {} : { hostname }) } };
}

export function narrowedTo(key: Key, value: string): Metadata {
  return create(MetadataSchema, { filterMetadata: { [METADATA]: { [key]: value } } });
}

/** Requests that name a pod which is not there find nobody; those that name none go to any. */
export function choosable({ headless, resolution }: Service): { lbSubsetConfig?: Cluster_LbSubsetConfig } {
  if (headless !== true || resolution !== 'endpoints') return {};
  const by = (key: Key) => ({ keys: [key], fallbackPolicy: SelectorFallback.NO_FALLBACK });
  return {
    lbSubsetConfig: create(Cluster_LbSubsetConfigSchema, {
      fallbackPolicy: Fallback.ANY_ENDPOINT,
      subsetSelectors: [by('hostname'), by('address')],
    }),
  };
}
