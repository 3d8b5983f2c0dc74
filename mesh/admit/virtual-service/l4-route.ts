import type { L4Match, TcpRoute, TlsMatch, TlsRoute } from '../../model/virtual-service.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { isAddressBlock } from '../address.ts';
import { plainHostname } from '../hosts.ts';
import { shorten } from '../node.ts';
import { optionalText, port, requiredText, textMap } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';
import { gatewayNames } from './gateway-name.ts';
import { routeDestinations } from './weights.ts';

const MATCH = ['destinationSubnets', 'port', 'sourceLabels', 'gateways', 'sourceNamespace', 'sourceSubnet'] as const;

function destinations(fields: { readonly route: Field }, field: Field, context: Context): TcpRoute['destinations'] {
  const found = routeDestinations(fields.route, context);
  if (found.length === 0 && !field.report.failed)
    field.error('missing-field', 'a route needs a destination', 'as route: [{destination: {host: db}}]');
  return found;
}

/** A route by the server name that a TLS client asks for. */
export function tlsRoute(field: Field, context: Context): TlsRoute {
  const fields = fieldsOf(field, ['match', 'route']);
  const matches = itemsOf(fields.match);
  if (matches.length === 0) field.error('missing-field', 'a TLS route needs a match', 'as match: [{sniHosts: [example.com]}]');
  const to = destinations(fields, field, context);
  return { match: matches.map((item) => tlsMatch(item, context)), destinations: to };
}

export function tcpRoute(field: Field, context: Context): TcpRoute {
  const fields = fieldsOf(field, ['match', 'route']);
  const to = destinations(fields, field, context);
  return { match: itemsOf(fields.match).map((item) => l4Match(fieldsOf(item, MATCH), context)), destinations: to };
}

function tlsMatch(item: Field, context: Context): TlsMatch {
  const fields = fieldsOf(item, [...MATCH, 'sniHosts']);
  const names = itemsOf(fields.sniHosts);
  if (names.length === 0)
    item.error('missing-field', 'sniHosts must name at least one server name', 'as sniHosts: [example.com]');
  const sniHosts = names.flatMap((name) => (name.given ? (plainHostname(name) ?? []) : []));
  return { ...l4Match(fields, context), sniHosts };
}

function l4Match(fields: Record<(typeof MATCH)[number], Field>, context: Context): L4Match {
  const destinationSubnets = itemsOf(fields.destinationSubnets).map((subnet) => {
    const written = requiredText(subnet);
    if (written !== '' && !isAddressBlock(written))
      subnet.error('bad-address', `"${shorten(written)}" is no address or CIDR block`, 'as 10.0.0.0/8');
    return written;
  });
  unapplied(fields.sourceSubnet, 'sourceSubnet');
  optionalText(fields.sourceSubnet);
  return {
    destinationSubnets,
    port: port(fields.port),
    sourceLabels: textMap(fields.sourceLabels),
    sourceNamespace: optionalText(fields.sourceNamespace),
    gateways: gatewayNames(fields.gateways, context),
  };
}
