import { parseAllDocuments, stringify } from 'yaml';
import { corpusFile } from '../corpora.ts';

export interface Call {
  readonly port: number;
  readonly address?: string;
  readonly protocol?: 'http' | 'http2' | 'tcp';
  readonly tls?: 'plaintext' | 'tls' | 'mtls';
  readonly alpn?: string;
  readonly hostHeader?: string;
  readonly path?: string;
}

export interface Want {
  readonly clusterMatched?: string;
  readonly listenerMatched?: string;
  readonly routeConfigMatched?: string;
  readonly error?: string;
}

export interface SimulationCase {
  readonly id: string;
  readonly config?: string;
  readonly kubeConfig?: string;
  readonly meshConfig?: { readonly outboundTrafficPolicy?: { readonly mode?: string } };
  readonly objects?: { readonly configs?: readonly unknown[] };
  readonly proxy: {
    readonly type: 'router' | 'sidecar';
    readonly labels?: Readonly<Record<string, string>>;
    readonly ips: readonly string[];
  };
  readonly calls: readonly {
    readonly name: string;
    readonly call: Call;
    readonly want: Want;
    readonly effective: { readonly address?: string; readonly sni?: string; readonly alpn?: string; readonly path?: string };
  }[];
}

interface Written {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  /** Of an EndpointSlice. */
  readonly endpoints?: readonly { readonly addresses: readonly string[] }[];
  readonly spec: {
    readonly selector?: unknown;
    readonly endpoints?: readonly { readonly address: string }[];
    readonly ports?: readonly { readonly name: string; readonly number: number; readonly targetPort?: number }[];
  };
}

const GATEWAY_LABELS = { istio: 'ingressgateway' };

/** The cases put the gateway behind ServiceEntries by its address; here Services select it. One names the Service of a Gateway. */
function withGatewayServices(object: Written, address: string | undefined): object {
  if (object.kind === 'Gateway' && object.spec.selector === undefined)
    return { ...object, spec: { ...object.spec, selector: GATEWAY_LABELS } };
  if (object.kind !== 'ServiceEntry' || !object.spec.endpoints?.some((one) => one.address === address)) return object;
  const ports = (object.spec.ports ?? []).map(({ name, number, targetPort }) => ({
    name,
    port: number,
    targetPort: targetPort ?? number,
  }));
  const { name, namespace, labels } = object.metadata;
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace, labels }, spec: { selector: GATEWAY_LABELS, ports } };
}

function pod(name: string, namespace: string, labels: unknown, podIP: string | undefined): object {
  const spec = { containers: [{ name: 'app' }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels }, spec, status: { podIP, phase: 'Running' } };
}

/** The cases put addresses behind a Service by an EndpointSlice; here a Pod that it selects has each. */
function podsOf(slice: Written, all: readonly Written[]): readonly object[] {
  const service = slice.metadata.labels?.['kubernetes.io/service-name'];
  const selector = all.find(({ kind, metadata }) => kind === 'Service' && metadata.name === service)?.spec.selector;
  const addresses = (slice.endpoints ?? []).flatMap((one) => one.addresses);
  return addresses.map((address, n) =>
    pod(`${slice.metadata.name}-${n}`, slice.metadata.namespace ?? 'default', selector, address),
  );
}

/** The objects of a case and the Pod of its proxy. */
export function caseYaml({ config, kubeConfig, objects, proxy }: SimulationCase): string {
  const texts = [config, kubeConfig].map((file) => (file === undefined ? '' : (corpusFile('traffic-simulation', file) ?? '')));
  const read = texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Written | null));
  const written = [...read.filter((one) => one !== null), ...((objects?.configs ?? []) as readonly Written[])];
  const router = proxy.type === 'router';
  const labels = { ...(router ? GATEWAY_LABELS : { app: 'the-proxy' }), 'security.istio.io/tlsMode': 'istio' };
  const address = proxy.ips[0] === '127.0.0.1' ? '10.9.9.9' : proxy.ips[0];
  const own = pod('the-proxy', router ? 'istio-system' : 'default', labels, address);
  const slices = written.filter(({ kind }) => kind === 'EndpointSlice');
  const others = written.filter(({ kind }) => kind !== 'EndpointSlice');
  const pods = [...slices.flatMap((slice) => podsOf(slice, written)), own];
  return [...others.map((one) => (router ? withGatewayServices(one, proxy.ips[0]) : one)), ...pods]
    .map((one) => stringify(one))
    .join('---\n');
}
