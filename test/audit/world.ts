import type { Directory } from '../../audit/intake/directory.ts';
import type { Reporter } from '../../audit/intake/reporter.ts';
import type { Side } from '../../audit/model/record.ts';
import { parseSpiffeId, type SpiffeId } from '../../ca/identity/spiffe-id.ts';

export function id(path: string): SpiffeId {
  const parsed = parseSpiffeId(`spiffe://test.mesh/${path}`);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

export const APP = id('ns/shop/sa/app');
export const WEB = id('ns/shop/sa/web');
export const EDGE = id('ns/edge/sa/gateway');

export const APP_NODE = 'sidecar~10.0.0.1~app-1.shop~shop.svc.cluster.local';
export const WEB_NODE = 'sidecar~10.0.0.2~web-1.shop~shop.svc.cluster.local';
export const EDGE_NODE = 'router~10.0.0.3~gateway-1.edge~edge.svc.cluster.local';

const NODES = new Map([
  [APP_NODE, 'shop/app'],
  [WEB_NODE, 'shop/web'],
  [EDGE_NODE, 'edge/gateway'],
]);
const PRINCIPALS = new Map([
  ['shop/app', APP],
  ['shop/web', WEB],
  ['edge/gateway', EDGE],
]);
const ADDRESSES = new Map([
  ['10.0.0.1', { workload: 'shop/app', meshed: true }],
  ['10.0.0.2', { workload: 'shop/web', meshed: true }],
  ['10.0.0.9', { workload: 'old/legacy', meshed: false }],
]);

/** A mesh of app, web and a gateway with proxies, and legacy without. Two ALLOW policies apply to app, none to others. */
export const directory: Directory = {
  workloadOf: (nodeId) => NODES.get(nodeId),
  principalOf: (workload) => PRINCIPALS.get(workload),
  workloadOfPrincipal: (principal) => [...PRINCIPALS].find(([, known]) => known === principal)?.[0],
  workloadByAddress: (ip) => ADDRESSES.get(ip),
  serviceOf: (nodeId, port) => {
    const [namespace, name] = NODES.get(nodeId)?.split('/') ?? [];
    return name === undefined ? undefined : { host: `${name}.${namespace}.svc.cluster.local`, port: port + 1000 };
  },
  serviceOfAuthority: (_nodeId, authority) =>
    authority === 'app:9080' ? { host: 'app.shop.svc.cluster.local', port: 9080 } : undefined,
  allowPoliciesOf: (workload) => (workload === 'shop/app' ? ['shop/web', 'istio-system/all'] : []),
};

const REPORTERS: Readonly<Record<Side, Reporter>> = {
  inbound: { principal: APP, nodeId: APP_NODE, side: 'inbound', workload: 'shop/app' },
  outbound: { principal: WEB, nodeId: WEB_NODE, side: 'outbound', workload: 'shop/web' },
  gateway: { principal: EDGE, nodeId: EDGE_NODE, side: 'gateway', workload: 'edge/gateway' },
};

export function reporter(side: Side): Reporter {
  return REPORTERS[side];
}

export const NOW = new Date('2026-03-01T12:00:00.000Z');
