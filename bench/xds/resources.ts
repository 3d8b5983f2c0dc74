// What a proxy must know of the resources that it got, to ask for the next: names, and no more.
import type { Reader } from './wire.ts';

/** `cluster.v3.Cluster.DiscoveryType.EDS`. */
const EDS = 3;

/** The name to ask endpoints by, or '' where the cluster needs none. The same name means the same here, so it is looked at once. */
const endpointNames = new Map<string, string>();

/** As {@link readCluster} found it; '' where it was never read. */
export function endpointsOf(cluster: string): string {
  return endpointNames.get(cluster) ?? '';
}

export interface FoundCluster {
  readonly name: string;
  readonly endpoints: string;
}

export function readCluster(value: Reader): FoundCluster {
  let [name, type, service] = ['', 0, ''];
  for (let number = value.next(); number !== 0; number = value.next()) {
    if (number === 1) {
      name = value.text();
      const known = endpointNames.get(name);
      if (known !== undefined) return { name, endpoints: known };
    } else if (number === 2) type = value.value;
    else if (number === 3) {
      const config = value.inside();
      for (let inner = config.next(); inner !== 0; inner = config.next()) if (inner === 2) service = config.text();
    }
  }
  const endpoints = type === EDS ? service || name : '';
  endpointNames.set(name, endpoints);
  return { name, endpoints };
}

export interface FoundListener {
  readonly routes: readonly string[];
  readonly extensions: readonly string[];
}

const MANAGER = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

/** The routes and extensions that a listener names. */
export function readListener(value: Reader): FoundListener {
  const found = { routes: [] as string[], extensions: [] as string[] };
  // Listener: filter_chains 3, listener_filters 9, default_filter_chain 25.
  for (let number = value.next(); number !== 0; number = value.next()) {
    if (number === 3 || number === 25) {
      const chain = value.inside();
      for (let inner = chain.next(); inner !== 0; inner = chain.next()) if (inner === 3) readFilter(chain.inside(), found);
    }
  }
  return found;
}

interface Finding {
  readonly routes: string[];
  readonly extensions: string[];
}

/** Filter and HttpFilter alike: name 1, typed_config 4, config_discovery 5. */
function readFilter(filter: Reader, found: Finding): void {
  let name = '';
  for (let number = filter.next(); number !== 0; number = filter.next()) {
    if (number === 1) name = filter.text();
    else if (number === 4) readAny(filter.inside(), found);
    else if (number === 5) found.extensions.push(name);
  }
}

function readAny(any: Reader, found: Finding): void {
  let type = '';
  for (let number = any.next(); number !== 0; number = any.next()) {
    if (number === 1) type = any.text();
    else if (number === 2 && type === MANAGER) readManager(any.inside(), found);
  }
}

/** HttpConnectionManager: rds 3 (route_config_name 2), http_filters 5. */
function readManager(manager: Reader, found: Finding): void {
  for (let number = manager.next(); number !== 0; number = manager.next()) {
    if (number === 3) {
      const rds = manager.inside();
      for (let inner = rds.next(); inner !== 0; inner = rds.next()) if (inner === 2) found.routes.push(rds.text());
    } else if (number === 5) readFilter(manager.inside(), found);
  }
}

/** Whether a route configuration has virtual hosts that come by themselves (`vhds` 9). */
export function wantsVirtualHosts(value: Reader): boolean {
  for (let number = value.next(); number !== 0; number = value.next()) if (number === 9) return true;
  return false;
}

/** Field 1 of most resources. */
export function readName(value: Reader): string {
  for (let number = value.next(); number !== 0; number = value.next()) if (number === 1) return value.text();
  return '';
}
