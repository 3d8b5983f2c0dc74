import type { GatewayServer } from '../../model/gateway.ts';
import type { Port } from '../../model/port.ts';
import { type Field, fieldsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { integer, port, requiredText } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';

const PROTOCOLS: Readonly<Record<string, GatewayServer['protocol']>> = Object.freeze({
  HTTP: 'HTTP',
  HTTP_PROXY: 'HTTP',
  HTTP2: 'HTTP2',
  GRPC: 'GRPC',
  'GRPC-WEB': 'GRPC',
  HTTPS: 'HTTPS',
  TLS: 'TLS',
  TCP: 'TCP',
  MONGO: 'MONGO',
  MYSQL: 'MYSQL',
  REDIS: 'REDIS',
});

/** A server's port; one bound to a Unix socket has no number and takes no effect yet. Istio reads the protocol's name in any case. */
export function gatewayPort(
  field: Field,
  socket: boolean,
): { readonly number: Port; readonly name: string; readonly protocol: GatewayServer['protocol'] } | undefined {
  if (!field.given) {
    field.error('missing-field', 'port must be given', 'as port: {number: 80, name: http, protocol: HTTP}');
    return undefined;
  }
  const fields = fieldsOf(field, ['number', 'name', 'protocol', 'targetPort']);
  if (!fields.number.given && !socket) fields.number.error('missing-field', 'number must be given', 'as number: 80');
  if (socket && (integer(fields.number, 0, 65535) ?? 0) !== 0)
    fields.number.error('contradiction', 'a Unix socket has no port number', 'remove it');
  const number = socket ? undefined : port(fields.number);
  const name = requiredText(fields.name, 'as name: http');
  if (name !== '' && !/^[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/.test(name))
    fields.name.error('bad-name', `"${shorten(name)}" is no port name`, 'letters, digits and "-"');
  const written = requiredText(fields.protocol, 'as protocol: HTTP');
  const protocol = PROTOCOLS[written.toUpperCase()];
  if (written !== '' && protocol === undefined) {
    fields.protocol.error(
      'unknown-value',
      `"${shorten(written)}" is no protocol of a gateway`,
      `use one of ${Object.keys(PROTOCOLS).join(', ')}`,
    );
  }
  unapplied(fields.targetPort, 'targetPort');
  return number === undefined || protocol === undefined ? undefined : { number, name, protocol };
}
