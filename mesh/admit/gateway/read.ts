import type { Gateway, GatewayHost, GatewayServer } from '../../model/gateway.ts';
import { type Context, refer } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { labelSelector } from '../selector.ts';
import { gatewayHost } from './host.ts';
import { gatewayPort } from './port.ts';
import { serverTls } from './tls.ts';
import { isAddress } from '../address.ts';
import { shorten } from '../node.ts';
import { optionalText, text } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';

/** Reads a Gateway's spec. Without a selector it is bound to every gateway pod. */
export function readGateway(spec: Field, context: Context): Gateway {
  const fields = fieldsOf(spec, ['selector', 'servers']);
  if (!fields.selector.given) {
    spec.warning('no-selector', 'has no selector and is bound to every gateway pod', 'add selector: {istio: ingressgateway}');
  }
  const servers = itemsOf(fields.servers).flatMap((item) => {
    const read = item.given ? server(item, context) : undefined;
    return read === undefined ? [] : [read];
  });
  if (fields.servers.node === undefined || (fields.servers.node.kind === 'list' && fields.servers.node.items.length === 0)) {
    fields.servers.error(
      'missing-field',
      'servers must have at least one server',
      'as servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]',
    );
  }
  const names = new Set<string>();
  const portNames = new Set<string>();
  for (const [at, one] of servers.entries()) {
    if (portNames.has(one.portName))
      fields.servers.error(
        'duplicate',
        `the port name ${one.portName} is given twice (server ${at})`,
        'rename one: port names of a gateway are unique',
      );
    portNames.add(one.portName);
    if (one.name === undefined) continue;
    if (names.has(one.name))
      fields.servers.error('duplicate', `the server name ${one.name} is given twice (server ${at})`, 'rename one');
    names.add(one.name);
  }
  const selector = labelSelector(fields.selector);
  if (Object.keys(selector).length > 0) refer(context, fields.selector, { kind: 'workloads', selector, everywhere: true });
  return { meta: context.meta, selector, servers };
}

function server(item: Field, context: Context): GatewayServer | undefined {
  const fields = fieldsOf(item, ['port', 'bind', 'hosts', 'tls', 'defaultEndpoint', 'name']);
  const socket = text(fields.bind).startsWith('unix://');
  const port = gatewayPort(fields.port, socket);
  const hosts: GatewayHost[] = [];
  for (const host of itemsOf(fields.hosts)) {
    const read = host.given ? gatewayHost(host, context) : undefined;
    if (read !== undefined) hosts.push(read);
  }
  if (!fields.hosts.given || (hosts.length === 0 && !item.report.failed))
    fields.hosts.error('missing-field', 'hosts must name at least one host', 'as hosts: ["*"]');
  const bind = text(fields.bind);
  if (socket) unapplied(fields.bind, 'binding to a Unix socket');
  else if (bind !== '' && !isAddress(bind))
    fields.bind.error('bad-address', `"${shorten(bind)}" is no address`, 'as bind: 127.0.0.1');
  text(fields.defaultEndpoint);
  unapplied(fields.defaultEndpoint, 'defaultEndpoint');
  const { tls, httpsRedirect } = serverTls(fields.tls, port?.protocol);
  if (port === undefined) return undefined;
  return {
    name: optionalText(fields.name),
    port: port.number,
    portName: port.name,
    protocol: port.protocol,
    hosts,
    httpsRedirect,
    tls,
    bind: bind === '' ? undefined : bind,
  };
}
