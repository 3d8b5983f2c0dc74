import type { Hostname } from '../../model/hostname.ts';
import type { VirtualService } from '../../model/virtual-service.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { hostname, visibility } from '../hosts.ts';
import { unapplied } from '../unapplied.ts';
import { gatewayNames } from './gateway-name.ts';
import { httpRoute } from './http-route.ts';

/** Reads a VirtualService's spec. */
export function readVirtualService(spec: Field, context: Context): VirtualService {
  const fields = fieldsOf(spec, ['hosts', 'gateways', 'http', 'tls', 'tcp', 'exportTo']);
  const written = gatewayNames(fields.gateways, context);
  const gateways = written.length === 0 ? ['mesh'] : written;
  const hosts: Hostname[] = [];
  for (const item of itemsOf(fields.hosts)) {
    const host = hostname(item, context);
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
  }
  if (hosts.length === 0 && !spec.report.failed)
    fields.hosts.error('missing-field', 'hosts must name at least one host', 'as hosts: [reviews]');
  unapplied(fields.tls, 'routing of TLS by server name');
  unapplied(fields.tcp, 'routing of TCP');
  const http = itemsOf(fields.http).flatMap((item) => {
    const route = item.given ? httpRoute(item, context) : undefined;
    return route === undefined ? [] : [route];
  });
  if (!fields.http.given && !fields.tls.given && !fields.tcp.given)
    spec.error('missing-field', 'http must have at least one route', 'as http: [{route: [{destination: {host: reviews}}]}]');
  return { meta: context.meta, hosts, gateways, exportTo: visibility(fields.exportTo, context), http };
}
