import type { Family } from '../../model/families.ts';
import { parseHostname } from '../../model/hostname.ts';
import { parsePort } from '../../model/port.ts';
import type { Service, ServicePort, Visibility } from '../../model/service.ts';
import { isAddress } from '../address.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { isNamespaceName, unsaid } from '../hosts.ts';
import { shorten } from '../node.ts';
import { flag, integer, oneOf, optionalText, text, textMap, texts } from '../scalar.ts';
import { protocolOf } from './protocol.ts';

/** Reads a Service. One that has no address yet gets its virtual one in the snapshot, where all names are known. */
export function readService(spec: Field, context: Context): Service {
  const { meta, meshConfig } = context;
  const fields = fieldsOf(
    spec,
    ['type', 'clusterIP', 'clusterIPs', 'ipFamilies', 'ports', 'selector', 'externalName', 'publishNotReadyAddresses'],
    'tolerant',
  );
  const hostname = parseHostname(`${meta.name}.${meta.namespace}.svc.${meshConfig.clusterDomain}`);
  if (hostname === undefined && meta.name !== '')
    spec.error('bad-name', 'the Service has a name that is no DNS label', 'lower-case letters, digits and "-"');
  const external = text(fields.type) === 'ExternalName';
  const selector = fields.selector.given ? textMap(fields.selector) : undefined;
  const headless = !external && (text(fields.clusterIP) === 'None' || texts(fields.clusterIPs).includes('None'));
  const families = itemsOf(fields.ipFamilies).flatMap((item): readonly Family[] => {
    const family = oneOf(item, ['IPv4', 'IPv6']);
    return family === undefined ? [] : [family];
  });
  return {
    meta,
    hostname: hostname ?? NOWHERE,
    ...(families.length === 0 ? {} : { families }),
    addresses: external ? [] : addresses(fields.clusterIP, fields.clusterIPs),
    ports: itemsOf(fields.ports).flatMap((item) => {
      const port = item.given ? servicePort(item) : undefined;
      return port === undefined ? [] : [port];
    }),
    selector: external || (selector !== undefined && Object.keys(selector).length === 0) ? undefined : selector,
    resolution: external ? 'dns' : 'endpoints',
    external,
    endpoints: external ? externalEndpoint(fields.externalName) : [],
    ...(headless ? { headless: true as const } : {}),
    ...(flag(fields.publishNotReadyAddresses) === true ? { publishNotReady: true as const } : {}),
    exportTo: exportTo(context, spec),
  };
}

function addresses(one: Field, many: Field): readonly string[] {
  const written = [...new Set([text(one), ...itemsOf(many).map((item) => text(item))])].filter(
    (address) => address !== '' && address !== 'None',
  );
  for (const address of written) {
    if (!isAddress(address))
      one.error('bad-address', `"${shorten(address)}" is no address`, 'leave clusterIP out to have one given');
  }
  return written;
}

function servicePort(item: Field): ServicePort | undefined {
  const fields = fieldsOf(item, ['name', 'port', 'targetPort', 'protocol', 'appProtocol'], 'tolerant');
  const port = parsePort(integer(fields.port, 1, 65535));
  if (!fields.port.given) fields.port.error('missing-field', 'port must be given', 'as port: 80');
  const name = text(fields.name);
  if (port === undefined) return undefined;
  return {
    name,
    port,
    targetPort: targetPort(fields.targetPort) ?? port,
    protocol: protocolOf(port, name, text(fields.appProtocol), text(fields.protocol)),
  };
}

function targetPort(field: Field): ServicePort['targetPort'] | undefined {
  if (!field.given) return undefined;
  if (field.node?.kind === 'scalar' && typeof field.node.value === 'number') {
    return field.node.value === 0 ? undefined : parsePort(integer(field, 0, 65535));
  }
  const written = text(field);
  if (/^\d+$/.test(written)) return parsePort(Number(written));
  return written === '' ? undefined : written;
}

function externalEndpoint(field: Field): Service['endpoints'] {
  const name = optionalText(field);
  if (name === undefined || parseHostname(name.replace(/\.$/, '')) === undefined) {
    field.error('bad-host', 'a Service of type ExternalName needs a host name', 'as externalName: db.example.com');
    return [];
  }
  return [{ address: name.replace(/\.$/, ''), ports: {}, labels: {}, weight: 1, serviceAccount: undefined }];
}

/** `networking.istio.io/exportTo`: namespaces, `.` its own, `*` all, `~` none. */
function exportTo(context: Context, spec: Field): Visibility {
  const written = context.meta.annotations['networking.istio.io/exportTo'];
  if (written === undefined || written.trim() === '') return unsaid(context);
  const names = written.split(',').map((name) => name.trim());
  if (names.includes('*')) return { kind: 'all' };
  for (const name of names) {
    if (name !== '.' && name !== '~' && !isNamespaceName(name))
      spec.error(
        'bad-namespace',
        `the annotation networking.istio.io/exportTo names "${shorten(name)}"`,
        'use namespace names, "." or "*"',
      );
  }
  return {
    kind: 'namespaces',
    namespaces: names.filter((name) => name !== '~').map((name) => (name === '.' ? context.meta.namespace : name)),
  };
}

/** Stands for a host that could not be read; the object that holds it is never admitted. */
const NOWHERE = parseHostname('*') ?? unreachable();

function unreachable(): never {
  throw new Error('* is a host name');
}
