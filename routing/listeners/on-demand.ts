import type { HttpFilter } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import { OnDemandSchema } from '#gen/envoy/extensions/filters/http/on_demand/v3/on_demand_pb.js';
import type { Scope } from '../scope.ts';
import { typedConfig } from '../wire/any.ts';
import { adsSource } from '../wire/config-source.ts';
import { duration } from '../wire/duration.ts';
import { httpFilter } from './http.ts';
import { ON_DEMAND_MS } from './tcp.ts';

/**
 * Lets a request wait for the cluster that its route leads to, where that is not there, and asks for it by its name. It is the first of the
 * filters: those after it see what they would see with the cluster there. Requests to clusters that are there pass it by.
 */
export function waitsForClusters({ onDemand }: Pick<Scope, 'onDemand'>): readonly HttpFilter[] {
  if (!onDemand) return [];
  const config = { odcds: { source: adsSource(), timeout: duration(ON_DEMAND_MS) } };
  return [httpFilter('envoy.filters.http.on_demand', typedConfig(OnDemandSchema, config))];
}
