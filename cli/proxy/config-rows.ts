import type { ConfiguredResource } from '../serve/proxy-config.ts';

/** Envoy's messages as JSON, as far as a table shows them. Everything may be missing: the control plane may be of another version. */
interface Address {
  readonly socketAddress?: { readonly address?: string; readonly portValue?: number };
  readonly pipe?: { readonly path?: string };
}

interface Destination {
  readonly cluster?: string;
  readonly clusterHeader?: string;
  readonly weightedClusters?: { readonly clusters?: readonly { readonly name?: string; readonly weight?: number }[] };
}

interface Route {
  readonly name?: string;
  readonly match?: Readonly<Record<string, unknown>>;
  readonly route?: Destination;
  readonly redirect?: Readonly<Record<string, unknown>>;
  readonly directResponse?: { readonly status?: number };
}

interface VirtualHost {
  readonly name?: string;
  readonly domains?: readonly string[];
  readonly routes?: readonly Route[];
}

interface FilterChain {
  readonly filterChainMatch?: Readonly<Record<string, unknown>>;
  readonly filters?: readonly {
    readonly name?: string;
    readonly typedConfig?: Readonly<Record<string, unknown>> & Destination;
  }[];
}

interface Message {
  readonly name?: string;
  readonly type?: string;
  readonly address?: Address;
  readonly filterChains?: readonly FilterChain[];
  readonly defaultFilterChain?: FilterChain;
  readonly virtualHosts?: readonly VirtualHost[];
  readonly domains?: readonly string[];
  readonly routes?: readonly Route[];
  readonly vhds?: unknown;
  readonly endpoints?: readonly {
    readonly priority?: number;
    readonly locality?: { readonly region?: string; readonly zone?: string };
    readonly lbEndpoints?: readonly {
      readonly healthStatus?: string;
      readonly loadBalancingWeight?: number;
      readonly endpoint?: { readonly address?: Address };
    }[];
  }[];
  readonly typedConfig?: Readonly<Record<string, unknown>>;
  readonly validationContext?: Readonly<Record<string, unknown>>;
}

/** A resource as the control plane's answer has it. */
export type ShownResource = Omit<ConfiguredResource, 'resource'> & { readonly resource: Message };

export type Row = readonly string[];

const port = (address: Address | undefined): string => String(address?.socketAddress?.portValue ?? '-');

function host(address: Address | undefined): string {
  return address?.socketAddress?.address ?? address?.pipe?.path ?? '-';
}

function destination(to: Destination | undefined): string {
  const weighted = to?.weightedClusters?.clusters;
  if (weighted !== undefined) return weighted.map(({ name, weight = 0 }) => `${name ?? '?'} (${weight})`).join(', ');
  return to?.cluster ?? (to?.clusterHeader === undefined ? '-' : `header ${to.clusterHeader}`);
}

function action({ route, redirect, directResponse }: Route): string {
  if (route !== undefined) return destination(route);
  if (redirect !== undefined) return 'redirect';
  return directResponse === undefined ? '-' : `answers ${String(directResponse.status ?? '')}`;
}

/** `prefix=/a headers=2`, or `*` for everything. */
function matchText(match: Readonly<Record<string, unknown>> = {}): string {
  const words = Object.entries(match).map(([name, value]) =>
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
      ? `${name}=${String(value)}`
      : Array.isArray(value) && value.every((one) => typeof one === 'string')
        ? `${name}=${value.join(',')}`
        : Array.isArray(value)
          ? `${name}=${value.length}`
          : name,
  );
  return words.filter((word) => word !== 'prefix=/').join(' ') || '*';
}

export function clusterRows(found: ShownResource): readonly Row[] {
  const [direction = '', number = '', subset = '', fqdn = ''] = found.name.includes('|')
    ? found.name.split('|')
    : ['', '', '', found.name];
  const { type = 'STATIC' } = found.resource;
  return [[fqdn || '-', number || '-', subset || '-', direction || '-', type, found.state]];
}

export function listenerRows(found: ShownResource): readonly Row[] {
  const { address, filterChains = [], defaultFilterChain } = found.resource;
  const chains = [...filterChains, ...(defaultFilterChain === undefined ? [] : [defaultFilterChain])];
  return chains.map((chain) => [
    host(address),
    port(address),
    chain === defaultFilterChain ? 'else' : matchText(chain.filterChainMatch),
    chainTarget(chain),
    found.name,
    found.state,
  ]);
}

function chainTarget({ filters = [] }: FilterChain): string {
  for (const { typedConfig } of filters) {
    const { rds, routeConfig } = typedConfig ?? {};
    if (typeof rds === 'object' && rds !== null && 'routeConfigName' in rds) return `route ${String(rds.routeConfigName)}`;
    if (routeConfig !== undefined) return 'routes of its own';
    if (typedConfig?.cluster !== undefined || typedConfig?.weightedClusters !== undefined) return destination(typedConfig);
  }
  return filters.at(-1)?.name ?? '-';
}

export function routeRows(found: ShownResource): readonly Row[] {
  const message = found.resource;
  const slash = found.name.lastIndexOf('/');
  if (found.type === 'VHDS') return hostRows(found.name.slice(0, slash), message, found.state);
  const hosts = message.virtualHosts ?? [];
  if (hosts.length === 0)
    return [[found.name, '-', message.vhds === undefined ? '-' : '(virtual hosts one by one)', '-', '-', found.state]];
  return hosts.flatMap((one) => hostRows(found.name, one, found.state));
}

const DOMAINS_SHOWN = 1;

function hostRows(routes: string, { name = '-', domains = [], routes: list = [] }: VirtualHost, state: string): readonly Row[] {
  const more = domains.length > DOMAINS_SHOWN ? ` + ${domains.length - DOMAINS_SHOWN} more` : '';
  const shown = `${domains.slice(0, DOMAINS_SHOWN).join(', ')}${more}`;
  const own = name.slice(name.lastIndexOf('/') + 1);
  return (list.length === 0 ? [{}] : list).map((route: Route) => [
    routes,
    own,
    shown,
    matchText(route.match),
    action(route),
    state,
  ]);
}

export function endpointRows(found: ShownResource): readonly Row[] {
  return (found.resource.endpoints ?? []).flatMap(({ priority = 0, locality, lbEndpoints = [] }) =>
    lbEndpoints.map(({ endpoint, healthStatus = 'HEALTHY', loadBalancingWeight = 1 }) => [
      `${host(endpoint?.address)}:${port(endpoint?.address)}`,
      healthStatus,
      String(loadBalancingWeight),
      [locality?.region, locality?.zone].filter((part) => part !== undefined).join('/') || '-',
      String(priority),
      found.name,
      found.state,
    ]),
  );
}

export function policyRows(found: ShownResource): readonly Row[] {
  const type = found.resource.typedConfig?.['@type'];
  const short = typeof type === 'string' ? type.slice(type.lastIndexOf('/') + 1).replace('envoy.extensions.filters.', '') : '-';
  const kinds = Object.keys(found.resource.typedConfig ?? {}).filter((key) => key !== '@type');
  return [[found.name, short, kinds.join(', ') || 'nothing to decide', found.state]];
}

export function secretRows(found: ShownResource): readonly Row[] {
  const { validationContext } = found.resource;
  return [[found.name, validationContext === undefined ? 'certificate' : 'trust bundle', found.version, found.state]];
}
