import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { isAddressBlock } from '../address.ts';
import { shorten } from '../node.ts';
import { optionalText, port, requiredText, textMap, texts } from '../scalar.ts';
import { gatewayNames } from './gateway-name.ts';
import { routeDestinations } from './weights.ts';

/** Checks a route of `tcp` or `tls`, which take no effect yet. */
export function l4Route(field: Field, kind: 'tcp' | 'tls', context: Context): void {
  const fields = fieldsOf(field, ['match', 'route']);
  const destinations = routeDestinations(fields.route, context);
  if (destinations.length === 0 && !field.report.failed)
    field.error('missing-field', 'a route needs a destination', 'as route: [{destination: {host: db}}]');
  const matches = itemsOf(fields.match);
  if (kind === 'tls' && matches.length === 0)
    field.error('missing-field', 'a TLS route needs a match', 'as match: [{sniHosts: [example.com]}]');
  for (const item of matches) match(item, kind, context);
}

function match(item: Field, kind: 'tcp' | 'tls', context: Context): void {
  const known = ['destinationSubnets', 'port', 'sourceLabels', 'gateways', 'sourceNamespace', 'sourceSubnet'] as const;
  const fields = fieldsOf(item, [...known, ...(kind === 'tls' ? (['sniHosts'] as const) : [])]);
  for (const subnet of itemsOf(fields.destinationSubnets)) {
    const written = requiredText(subnet);
    if (written !== '' && !isAddressBlock(written))
      subnet.error('bad-address', `"${shorten(written)}" is no address or CIDR block`, 'as 10.0.0.0/8');
  }
  port(fields.port);
  textMap(fields.sourceLabels);
  gatewayNames(fields.gateways, context);
  optionalText(fields.sourceNamespace);
  optionalText(fields.sourceSubnet);
  if (kind === 'tls' && texts(fields.sniHosts).length === 0)
    item.error('missing-field', 'sniHosts must name at least one server name', 'as sniHosts: [example.com]');
}
