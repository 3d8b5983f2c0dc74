import type { CaptureOptions } from './options.ts';

export type Family = 4 | 6;

/** Rules of one table: chains of our own, what is in them, and the jumps to them from the chains that the kernel has. */
export interface Table {
  readonly name: 'nat';
  readonly chains: readonly string[];
  /** Without `-A`. */
  readonly rules: readonly string[];
  readonly jumps: readonly string[];
}

/** Every chain of ours begins with this word; nothing else is ever touched. */
export const PREFIX = 'GATEHOUSE_';

/** The application is called at the loopback; from an address of its own beside it for ports that no Service names (Istio's addresses). */
const LOOPBACK = { 4: { itself: '127.0.0.1/32', source: '127.0.0.6/32' }, 6: { itself: '::1/128', source: '::6/128' } } as const;

const DNS = 53;

/** Where the proxy's own packets are told by their user or group. */
function owners({ proxyUids, proxyGids }: CaptureOptions): readonly string[] {
  return [...proxyUids.map((id) => `-m owner --uid-owner ${id}`), ...proxyGids.map((id) => `-m owner --gid-owner ${id}`)];
}

function ofFamily(ranges: readonly string[], family: Family): readonly string[] {
  return ranges.filter((range) => range.includes(':') === (family === 6));
}

/** What of the addresses is captured, as rules of a chain, with a condition (a device) before each. */
function byAddress(chain: string, options: CaptureOptions, family: Family, condition = ''): readonly string[] {
  const { includeOutboundRanges: included, excludeOutboundRanges: excluded } = options;
  return [
    ...ofFamily(excluded, family).map((range) => `${chain} ${condition}-d ${range} -j RETURN`),
    ...options.includeOutboundPorts.map((port) => `${chain} ${condition}-p tcp --dport ${port} -j GATEHOUSE_REDIRECT`),
    ...(included === 'all'
      ? [`${chain} ${condition}-j GATEHOUSE_REDIRECT`]
      : ofFamily(included, family).map((range) => `${chain} ${condition}-d ${range} -j GATEHOUSE_REDIRECT`)),
  ];
}

/** Which inbound ports are captured, as rules of a chain. */
function byPort(chain: string, options: CaptureOptions): readonly string[] {
  const target = 'GATEHOUSE_IN_REDIRECT';
  const { includeInboundPorts: included } = options;
  return [
    ...options.excludeInboundPorts.map((port) => `${chain} -p tcp --dport ${port} -j RETURN`),
    ...(included === 'all'
      ? [`${chain} -p tcp -j ${target}`]
      : included.map((port) => `${chain} -p tcp --dport ${port} -j ${target}`)),
  ];
}

function inbound(options: CaptureOptions, family: Family): readonly string[] {
  const chain = 'GATEHOUSE_INBOUND';
  const virtual = options.virtualInterfaces.flatMap((device) => [
    ...byAddress(chain, options, family, `-i ${device} `),
    `${chain} -i ${device} -j RETURN`,
  ]);
  return [...options.excludeInterfaces.map((device) => `${chain} -i ${device} -j RETURN`), ...virtual, ...byPort(chain, options)];
}

function outbound(options: CaptureOptions, family: Family): readonly string[] {
  const chain = 'GATEHOUSE_OUTPUT';
  const { itself, source } = LOOPBACK[family];
  const own = owners(options);
  return [
    ...options.excludeInterfaces.map((device) => `${chain} -o ${device} -j RETURN`),
    // The proxy (or its agent) to its own application.
    `${chain} -s ${source} -o lo -j RETURN`,
    // A proxy that calls its own pod's address, as one endpoint of a service, passes the inbound port like any other caller.
    ...own.map((owner) => `${chain} ! -d ${itself} -o lo -p tcp ${owner} -j GATEHOUSE_IN_REDIRECT`),
    ...own.map((owner) => `${chain} ${owner} -j RETURN`),
    ...(options.dnsPort === undefined ? [] : [`${chain} -p tcp --dport ${DNS} -j REDIRECT --to-ports ${options.dnsPort}`]),
    // What an application says to itself is nobody's business.
    `${chain} -o lo -j RETURN`,
    `${chain} -d ${itself} -j RETURN`,
    ...options.excludeOutboundPorts.map((port) => `${chain} -p tcp --dport ${port} -j RETURN`),
    ...byAddress(chain, options, family),
  ];
}

function dns(options: CaptureOptions): Pick<Table, 'chains' | 'rules' | 'jumps'> {
  const { dnsPort } = options;
  if (dnsPort === undefined) return { chains: [], rules: [], jumps: [] };
  const chain = 'GATEHOUSE_DNS';
  return {
    chains: [chain],
    rules: [
      ...owners(options).map((owner) => `${chain} ${owner} -j RETURN`),
      `${chain} -p udp --dport ${DNS} -j REDIRECT --to-ports ${dnsPort}`,
    ],
    jumps: ['OUTPUT -p udp --dport 53 -j GATEHOUSE_DNS'],
  };
}

/**
 * The rules of a pod's network namespace, as Istio's init container sets them up: what the application sends goes to the proxy's outbound port, what comes in
 * to its inbound port, except what the proxy itself sends, what stays on the loopback device, and what the options leave out.
 */
export function captureTable(options: CaptureOptions, family: Family): Table {
  const names = dns(options);
  return {
    name: 'nat',
    chains: ['GATEHOUSE_INBOUND', 'GATEHOUSE_IN_REDIRECT', 'GATEHOUSE_OUTPUT', 'GATEHOUSE_REDIRECT', ...names.chains],
    rules: [
      `GATEHOUSE_IN_REDIRECT -p tcp -j REDIRECT --to-ports ${options.inboundPort}`,
      `GATEHOUSE_REDIRECT -p tcp -j REDIRECT --to-ports ${options.outboundPort}`,
      ...inbound(options, family),
      ...outbound(options, family),
      ...names.rules,
    ],
    jumps: ['PREROUTING -p tcp -j GATEHOUSE_INBOUND', 'OUTPUT -p tcp -j GATEHOUSE_OUTPUT', ...names.jumps],
  };
}
