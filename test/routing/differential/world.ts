import { stringify } from 'yaml';
import type { Generated } from './arbitrary.ts';

export interface Places {
  readonly gatewayPort: number;
  readonly upstreamPort: number;
  /** Of `v1`, `v2`, `v3` and `other`. */
  readonly servers: Readonly<Record<string, string>>;
  /** Of the caller without capture: its Pod, and its application beside which the HTTP proxy is. */
  readonly pod: string;
  readonly application: string;
}

/** Objects as the documents of one file. */
export const documents = (objects: readonly object[]): string =>
  objects.map((object) => stringify(JSON.parse(JSON.stringify(object)))).join('---\n');

/** The caller, beside which the HTTP proxy is. */
export const caller = ({ pod: address, application }: Places): object =>
  pod(
    'client',
    'default',
    address,
    { app: 'client' },
    { 'gatehouse.dev/capture': 'explicit', 'gatehouse.dev/app-address': application },
  );

const istio = (kind: string, name: string, spec: object): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind,
  metadata: { name, namespace: 'default' },
  spec,
});
export const service = (name: string, selector: object, port: number, targetPort: number, namespace = 'default'): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { selector, ports: [{ name: 'http', port, targetPort }] },
});

export function pod(name: string, namespace: string, address: string, labels: object, annotations: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, annotations },
    spec: { containers: [{ name: 'app' }] },
    status: { podIP: address, phase: 'Running' },
  };
}

/** Every second one stands for a Service of its own, the others for a host that only they know. */
export function hostOf(index: number): { readonly host: string; readonly names: readonly string[]; readonly port: number } {
  return index % 2 === 0
    ? {
        host: `s${index}`,
        names: [`s${index}`, `s${index}.default`, `s${index}.default.svc.cluster.local`, `S${index}.Default.svc`],
        port: 8000,
      }
    : { host: `h${index}.test`, names: [`h${index}.test`, `H${index}.TEST`], port: 80 };
}

/** The objects of one generated case. */
export function written(index: number, { http, delegate }: Generated): readonly object[] {
  const gateways = ['gateway', 'mesh'];
  const { host } = hostOf(index);
  if (delegate === undefined) return [istio('VirtualService', `vs${index}`, { hosts: [host], gateways, http })];
  const { at, prefix, http: below } = delegate;
  const root = {
    ...(prefix === undefined ? {} : { match: [{ uri: { prefix } }] }),
    delegate: { name: `below${index}`, namespace: 'default' },
  };
  const whole = [...http.slice(0, at), root, ...http.slice(at)];
  return [
    istio('VirtualService', `vs${index}`, { hosts: [host], gateways, http: whole }),
    istio('VirtualService', `below${index}`, { http: below }),
  ];
}

export function worldYaml(places: Places, all: readonly Generated[]): string {
  const { upstreamPort, gatewayPort, servers } = places;
  const objects = [
    service('app', { app: 'app' }, 8000, upstreamPort),
    service('other', { app: 'other' }, 9000, upstreamPort),
    ...['v1', 'v2', 'v3'].map((version) => pod(version, 'default', servers[version] ?? '', { app: 'app', version })),
    pod('other', 'default', servers['other'] ?? '', { app: 'other' }),
    istio('DestinationRule', 'app', {
      host: 'app',
      subsets: ['v1', 'v2', 'v3'].map((name) => ({ name, labels: { version: name } })),
    }),
    service('ingress', { istio: 'ingressgateway' }, 80, gatewayPort, 'istio-system'),
    pod(
      'ingress',
      'istio-system',
      '127.0.0.1',
      { istio: 'ingressgateway', 'security.istio.io/tlsMode': 'istio' },
      { 'gatehouse.dev/bind-address': '127.0.0.1' },
    ),
    istio('Gateway', 'gateway', {
      selector: { istio: 'ingressgateway' },
      servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
    }),
    caller(places),
    ...all.flatMap((one, index) => [
      ...(index % 2 === 0 ? [service(`s${index}`, { app: 'app' }, 8000, upstreamPort)] : []),
      ...written(index, one),
    ]),
  ];
  return documents(objects);
}
