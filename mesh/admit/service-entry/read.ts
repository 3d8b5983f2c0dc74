import type { Hostname } from '../../model/hostname.ts';
import type { Meta } from '../../model/object.ts';
import { parsePort, type Port } from '../../model/port.ts';
import type { Service, ServicePort, StaticEndpoint } from '../../model/service.ts';
import { isAddressBlock } from '../address.ts';
import type { Context } from '../context.ts';
import { entriesOf, type Field, fieldsOf, itemsOf } from '../field.ts';
import { plainHostname, visibility } from '../hosts.ts';
import { shorten } from '../node.ts';
import { integer, oneOf, optionalText, port, requiredText, text, textMap, texts } from '../scalar.ts';
import { workloadLabels } from '../selector.ts';
import { parseLocality } from '../locality.ts';
import { PROTOCOLS } from './protocol.ts';
import { unapplied } from '../unapplied.ts';

/** Reads a ServiceEntry: each of its hosts is a service of its own. */
export function readServiceEntry(spec: Field, context: Context): { readonly meta: Meta; readonly services: readonly Service[] } {
  const fields = fieldsOf(spec, [
    'hosts',
    'addresses',
    'ports',
    'location',
    'resolution',
    'endpoints',
    'workloadSelector',
    'exportTo',
    'subjectAltNames',
  ]);
  const hosts = readHosts(spec, fields.hosts);
  const location = oneOf(fields.location, ['MESH_EXTERNAL', 'MESH_INTERNAL']) ?? 'MESH_EXTERNAL';
  const resolution = oneOf(fields.resolution, ['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS']) ?? 'NONE';
  const addresses = itemsOf(fields.addresses).map((item) => {
    const written = requiredText(item);
    if (written !== '' && !isAddressBlock(written))
      item.error('bad-address', `"${shorten(written)}" is no address or CIDR block`, 'as 10.0.0.0/8');
    return written;
  });
  const ports = itemsOf(fields.ports).flatMap((item) => (item.given ? servicePort(item) : []));
  unique(fields.ports, ports);
  const known = new Set(ports.map((one) => one.name));
  const endpoints = itemsOf(fields.endpoints).flatMap((item) => (item.given ? endpoint(item, known) : []));
  if (fields.workloadSelector.given && fields.endpoints.given)
    fields.workloadSelector.error('contradiction', 'workloadSelector and endpoints are both given', 'keep one');
  const selector = fields.workloadSelector.given ? workloadLabels(fields.workloadSelector) : undefined;
  const subjectAltNames = texts(fields.subjectAltNames);
  checkResolution(fields.hosts, fields.endpoints, fields.addresses, resolution, hosts, endpoints.length, ports.length);
  const exportTo = visibility(fields.exportTo, context);
  if (resolution !== 'NONE' && resolution !== 'STATIC' && addresses.some((address) => address.includes('/'))) {
    fields.addresses.error(
      'contradiction',
      `blocks of addresses are taken with NONE and STATIC only, not with ${resolution}`,
      'give single addresses',
    );
  }
  const services = hosts.map((hostname): Service => ({
    meta: context.meta,
    hostname,
    addresses,
    ports,
    selector,
    resolution: RESOLUTIONS[resolution],
    ...(resolution === 'DNS_ROUND_ROBIN' ? { oneAddress: true as const } : {}),
    ...(subjectAltNames.length === 0 ? {} : { subjectAltNames }),
    external: location === 'MESH_EXTERNAL',
    endpoints:
      RESOLUTIONS[resolution] === 'dns' && endpoints.length === 0 && selector === undefined
        ? [{ address: hostname, ports: {}, labels: {}, weight: 1, serviceAccount: undefined }]
        : endpoints,
    exportTo,
  }));
  return { meta: context.meta, services };
}

const RESOLUTIONS = Object.freeze({
  NONE: 'none',
  STATIC: 'endpoints',
  DNS: 'dns',
  DNS_ROUND_ROBIN: 'dns',
  DYNAMIC_DNS: 'names',
} as const);

function readHosts(spec: Field, field: Field): readonly Hostname[] {
  const hosts: Hostname[] = [];
  for (const item of itemsOf(field)) {
    const host = item.given ? plainHostname(item) : undefined;
    if (host === '*') item.error('bad-host', 'a ServiceEntry cannot stand for every host', 'name the hosts, or *.example.com');
    if (host !== undefined) hosts.push(host);
  }
  if (hosts.length === 0 && !spec.report.failed)
    field.error('missing-field', 'hosts must name at least one host', 'as hosts: [api.example.com]');
  return hosts;
}

function checkResolution(
  hosts: Field,
  endpoints: Field,
  addresses: Field,
  resolution: string,
  names: readonly Hostname[],
  count: number,
  ports: number,
): void {
  const wildcard = names.some((name) => name.includes('*'));
  if ((resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN') && wildcard && count === 0) {
    hosts.error(
      'bad-host',
      `a wildcard cannot be resolved by ${resolution}`,
      'name the host, give endpoints, or use resolution: NONE',
    );
  }
  if (resolution === 'DNS_ROUND_ROBIN' && count > 1)
    endpoints.error('contradiction', 'DNS_ROUND_ROBIN takes one endpoint', 'use resolution: DNS for several');
  if (resolution === 'DYNAMIC_DNS') {
    if (!names.every((name) => name.startsWith('*')))
      hosts.error('bad-host', 'DYNAMIC_DNS is for wildcard hosts', 'use resolution: DNS');
    if (addresses.given) addresses.error('contradiction', 'DYNAMIC_DNS takes no addresses', 'remove them');
    if (count > 0) endpoints.error('contradiction', 'DYNAMIC_DNS takes no endpoints', 'remove them');
  }
  for (const item of itemsOf(endpoints)) {
    const fields = fieldsOf(item, ['address', 'ports'], 'tolerant');
    if (!text(fields.address).startsWith('unix://')) continue;
    if (fields.ports.given) fields.ports.error('contradiction', 'a Unix socket has no ports', 'remove them');
    if (ports > 1) item.error('contradiction', 'a Unix socket serves one port', 'give the entry one port');
  }
}

function servicePort(item: Field): readonly ServicePort[] {
  const fields = fieldsOf(item, ['number', 'name', 'protocol', 'targetPort']);
  if (!fields.number.given) fields.number.error('missing-field', 'number must be given', 'as number: 443');
  const number = port(fields.number);
  const name = requiredText(fields.name, 'as name: https');
  const written = text(fields.protocol);
  const protocol = written === '' ? 'unknown' : PROTOCOLS[written.toUpperCase()];
  if (protocol === undefined)
    fields.protocol.error(
      'unknown-value',
      `"${shorten(written)}" is no protocol`,
      `use one of ${Object.keys(PROTOCOLS).join(', ')}`,
    );
  const target = parsePort(integer(fields.targetPort, 0, 65535) ?? 0);
  return number === undefined || protocol === undefined ? [] : [{ name, port: number, targetPort: target ?? number, protocol }];
}

function unique(field: Field, ports: readonly ServicePort[]): void {
  const names = new Set<string>();
  const numbers = new Set<number>();
  for (const one of ports) {
    if (names.has(one.name)) field.error('duplicate', `the port name ${shorten(one.name)} is given twice`, 'rename one');
    if (numbers.has(one.port)) field.error('duplicate', `the port ${one.port} is given twice`, 'keep one');
    names.add(one.name);
    numbers.add(one.port);
  }
}

function endpoint(item: Field, known: ReadonlySet<string>): readonly StaticEndpoint[] {
  const fields = fieldsOf(item, ['address', 'ports', 'labels', 'network', 'locality', 'weight', 'serviceAccount']);
  const address = text(fields.address);
  const ports: Record<string, Port> = {};
  for (const [name, value] of entriesOf(fields.ports)) {
    if (known.size > 0 && !known.has(name))
      value.error('unknown-value', `the entry has no port named "${shorten(name)}"`, `its ports are ${[...known].join(', ')}`);
    const number = port(value);
    if (number !== undefined) ports[name] = number;
  }
  text(fields.network);
  const locality = parseLocality(text(fields.locality));
  unapplied(fields.network, 'network');
  const weight = integer(fields.weight, 0, 4_294_967_295) ?? 1;
  return [
    {
      address,
      ports,
      labels: textMap(fields.labels),
      weight: weight === 0 ? 1 : weight,
      serviceAccount: optionalText(fields.serviceAccount),
      ...(locality === undefined ? {} : { locality }),
    },
  ];
}
