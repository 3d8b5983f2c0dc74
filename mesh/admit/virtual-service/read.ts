import type { Hostname } from '../../model/hostname.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import { type Context, refer } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { hostname, visibility } from '../hosts.ts';
import { gatewayNames } from './gateway-name.ts';
import { asGatewayRoute, hasGatewaySemantics } from './gateway-semantics.ts';
import { httpRoute } from './http-route.ts';
import { tcpRoute, tlsRoute } from './l4-route.ts';

/** Reads a VirtualService's spec. */
export function readVirtualService(spec: Field, context: Context): VirtualService {
  const fields = fieldsOf(spec, ['hosts', 'gateways', 'http', 'tls', 'tcp', 'exportTo']);
  const written = gatewayNames(fields.gateways, context);
  const gateways = written.length === 0 ? ['mesh'] : written;
  const hosts: Hostname[] = [];
  for (const item of itemsOf(fields.hosts)) {
    const host = hostname(item, context, 'allowed');
    if (host === undefined) continue;
    if (host === '*' && gateways.includes('mesh')) {
      item.error(
        'bad-host',
        'the host "*" cannot be used for sidecars',
        'name the hosts, or bind to a gateway only: gateways: [my-gateway]',
      );
    }
    if (hosts.includes(host)) item.error('duplicate', `the host ${host} is given twice`, 'remove one');
    hosts.push(host);
    refer(context, item, { kind: 'virtual-host', host });
  }
  const delegate = !fields.hosts.given && fields.http.given && !spec.report.failed;
  if (hosts.length === 0 && !delegate && !spec.report.failed)
    fields.hosts.error('missing-field', 'hosts must name at least one host', 'as hosts: [reviews]');
  if (delegate) {
    for (const item of itemsOf(fields.http)) {
      const { delegate: further } = fieldsOf(item, ['delegate'], 'tolerant');
      if (further.given) further.error('contradiction', 'a delegate cannot delegate further', 'give a route');
    }
    for (const one of [fields.gateways, fields.tls, fields.tcp])
      if (one.given) one.error('contradiction', 'a VirtualService without hosts has only http', 'give hosts, or remove it');
  }
  const tls = itemsOf(fields.tls).map((item) => tlsRoute(item, context));
  const tcp = itemsOf(fields.tcp).map((item) => tcpRoute(item, context));
  warnUnreachable(fields.http);
  const http = itemsOf(fields.http).flatMap((item) => {
    const route = item.given ? httpRoute(item, context) : undefined;
    return route === undefined ? [] : [route];
  });
  if (!fields.http.given && !fields.tls.given && !fields.tcp.given)
    spec.error('missing-field', 'http must have at least one route', 'as http: [{route: [{destination: {host: reviews}}]}]');
  const routes = hasGatewaySemantics(context.meta) ? http.map(asGatewayRoute) : http;
  return { meta: context.meta, hosts, gateways, exportTo: visibility(fields.exportTo, context), http: routes, tls, tcp };
}

/** The first route that matches is taken, so nothing reaches the routes after one that matches everything. */
function warnUnreachable(http: Field): void {
  const items = itemsOf(http);
  const all = items.findIndex((item) => item.given && matchesAll(item));
  if (all < 0) return;
  for (const item of items.slice(all + 1)) {
    item.warning(
      'unreachable-route',
      `is never reached: http[${all}] before it matches every request`,
      'put the route without match last',
    );
  }
}

function matchesAll(item: Field): boolean {
  const { match } = fieldsOf(item, ['match'], 'tolerant');
  if (!match.given) return true;
  const { node } = match;
  return (
    node?.kind === 'list' && (node.items.length === 0 || node.items.some((one) => one.kind === 'map' && one.entries.size === 0))
  );
}
