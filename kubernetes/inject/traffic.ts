import { type Parsed, parsed } from '../../ca/identity/parsed.ts';
import { parseInterfaces, parsePorts, parsePortsOrAll, parseRanges, parseRangesOrAll } from '../capture/lists.ts';
import { type CaptureOptions, DEFAULT_CAPTURE } from '../capture/options.ts';
import { annotated, type Context, interceptionMode, statusPort } from './context.ts';
import type { JsonObject, TextMap } from './json.ts';

const PREFIX = 'traffic.sidecar.istio.io/';
/** The agent's other ports: metrics of Envoy, readiness. */
const OWN_PORTS = '15090,15021';

/** The ports that are not captured on the pod's word, with the one that the kubelet asks. */
function excludedInbound(context: Context): string {
  const listed = annotated(context, `${PREFIX}excludeInboundPorts`, context.settings.traffic.excludeInboundPorts);
  const port = statusPort(context);
  const known = listed.split(',').map((one) => one.trim());
  return port === '0' || known.includes(port) ? listed : [listed, port].filter((one) => one !== '').join(',');
}

function virtualInterfaces({ annotations }: Context): string {
  return annotations['istio.io/reroute-virtual-interfaces'] ?? annotations[`${PREFIX}kubevirtInterfaces`] ?? '';
}

/** What of the pod's traffic is captured, by its annotations and the installation's settings. */
export function captureOf(context: Context): Parsed<CaptureOptions> {
  const { settings, proxyUser } = context;
  const { traffic, controlPlane } = settings;
  const text = (name: keyof typeof traffic, annotation: string = name): string =>
    annotated(context, `${PREFIX}${annotation}`, traffic[name]);
  const includeOutboundRanges = parseRangesOrAll(text('includeIPRanges', 'includeOutboundIPRanges'));
  if (!includeOutboundRanges.ok) return includeOutboundRanges;
  const excludeOutboundRanges = parseRanges(text('excludeIPRanges', 'excludeOutboundIPRanges'));
  if (!excludeOutboundRanges.ok) return excludeOutboundRanges;
  const includeInboundPorts = parsePortsOrAll(text('includeInboundPorts'));
  if (!includeInboundPorts.ok) return includeInboundPorts;
  const excludeInboundPorts = parsePorts(`${OWN_PORTS},${excludedInbound(context)}`);
  if (!excludeInboundPorts.ok) return excludeInboundPorts;
  const includeOutboundPorts = parsePorts(text('includeOutboundPorts'));
  if (!includeOutboundPorts.ok) return includeOutboundPorts;
  const excludeOutboundPorts = parsePorts(text('excludeOutboundPorts'));
  if (!excludeOutboundPorts.ok) return excludeOutboundPorts;
  const excludeInterfaces = parseInterfaces(annotated(context, `${PREFIX}excludeInterfaces`, ''));
  if (!excludeInterfaces.ok) return excludeInterfaces;
  const virtual = parseInterfaces(virtualInterfaces(context));
  if (!virtual.ok) return virtual;
  return parsed({
    ...DEFAULT_CAPTURE,
    outboundPort: controlPlane.outboundPort,
    inboundPort: controlPlane.inboundPort,
    proxyUids: [proxyUser],
    proxyGids: [proxyUser],
    includeOutboundRanges: includeOutboundRanges.value,
    excludeOutboundRanges: excludeOutboundRanges.value,
    includeInboundPorts: includeInboundPorts.value,
    excludeInboundPorts: excludeInboundPorts.value,
    includeOutboundPorts: includeOutboundPorts.value,
    excludeOutboundPorts: excludeOutboundPorts.value,
    excludeInterfaces: excludeInterfaces.value,
    virtualInterfaces: virtual.value,
  });
}

/** What a CNI plugin reads from the pod: the settings in force, where the pod does not name them itself. */
export function cniAnnotations(context: Context): TextMap {
  const { traffic } = context.settings;
  const given: Readonly<Record<string, string>> = {
    includeOutboundIPRanges: traffic.includeIPRanges,
    excludeOutboundIPRanges: traffic.excludeIPRanges,
    includeInboundPorts: traffic.includeInboundPorts,
    excludeInboundPorts: excludedInbound(context),
    includeOutboundPorts: traffic.includeOutboundPorts,
    excludeOutboundPorts: traffic.excludeOutboundPorts,
  };
  const result: Record<string, string> = { 'sidecar.istio.io/interceptionMode': interceptionMode(context) };
  for (const [name, fallback] of Object.entries(given)) {
    const value = name === 'excludeInboundPorts' ? fallback : annotated(context, `${PREFIX}${name}`, fallback);
    if (value !== '') result[`${PREFIX}${name}`] = value;
  }
  if (context.settings.captureBy.kind === 'cni' && context.settings.captureBy.multus)
    result[NETWORKS] = withNetwork(context.annotations[NETWORKS]);
  return result;
}

const NETWORKS = 'k8s.v1.cni.cncf.io/networks';
const OURS = { namespace: 'default', name: 'istio-cni' };

/** Multus' list of networks (names, or JSON) with the one that captures traffic. */
function withNetwork(list = ''): string {
  const text = list.trim();
  const plain = `${OURS.namespace}/${OURS.name}`;
  if (text === '') return plain;
  if (!text.startsWith('[')) {
    const names = text.split(',').map((one) => one.trim());
    return names.includes(plain) ? list : `${text}, ${plain}`;
  }
  const before: unknown = JSON.parse(text);
  if (!Array.isArray(before)) return list;
  const networks: readonly unknown[] = before;
  const there = networks.some((one) => isNetwork(one) && one['name'] === OURS.name && one['namespace'] === OURS.namespace);
  return there ? list : JSON.stringify([...networks, OURS]);
}

function isNetwork(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null;
}
