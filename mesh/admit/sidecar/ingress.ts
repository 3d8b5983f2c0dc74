import type { IngressListener } from '../../model/sidecar.ts';
import { parsePort, type Port } from '../../model/port.ts';
import { inboundConnectionPool } from '../destination-rule/connection-pool.ts';
import { SERVER_TLS } from '../gateway/tls.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { oneOf, text } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';
import { sidecarPort } from './port.ts';

/** The inbound listeners: where one is given, the workload has these ports and no others. */
export function ingressListeners(field: Field): readonly IngressListener[] {
  const ports = new Set<number>();
  return itemsOf(field).flatMap((item): readonly IngressListener[] => {
    if (!item.given) return [];
    const fields = fieldsOf(item, ['port', 'bind', 'captureMode', 'defaultEndpoint', 'tls', 'connectionPool']);
    if (!fields.port.given) fields.port.error('missing-field', 'port must be given', 'as port: {number: 8080, protocol: HTTP}');
    const port = sidecarPort(fields.port, false);
    if (port !== undefined && ports.has(port.number))
      fields.port.error('duplicate', `port ${port.number} is given twice`, 'keep one');
    if (port !== undefined) ports.add(port.number);
    text(fields.bind);
    unapplied(fields.bind, 'bind');
    if (oneOf(fields.captureMode, ['DEFAULT', 'IPTABLES', 'NONE']) === 'NONE') unapplied(fields.captureMode, 'captureMode: NONE');
    const pool = inboundConnectionPool(fields.connectionPool);
    checkTls(fields.tls, port?.protocol === 'https' || port?.protocol === 'http' || port?.protocol === 'tls');
    const endpoint = endpointOf(fields.defaultEndpoint, port?.number);
    // A port whose TLS is not ended would give the application what it was to be spared.
    return port === undefined || fields.tls.given
      ? []
      : [{ port: port.number, protocol: port.protocol, endpoint, connectionPool: pool }];
  });
}

/** `127.0.0.1:8080` and `[::1]:8080` are the application; `0.0.0.0:8080` and `[::]:8080` the instance's own address. */
function endpointOf(field: Field, listener: Port | undefined): IngressListener['endpoint'] {
  const written = text(field);
  if (written === '') return undefined;
  // A socket has no port; the listener's own stands there.
  if (/^unix:\/\/[/@].*[^/]$/.test(written)) return listener === undefined ? undefined : { address: written, port: listener };
  const found = /^(127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\]):(\d{1,5})$/.exec(written);
  const port = parsePort(Number(found?.[2] ?? 0));
  if (found?.[1] === undefined || port === undefined) {
    field.error(
      'bad-address',
      `"${shorten(written)}" is no endpoint of the workload`,
      'as 127.0.0.1:8080, [::1]:8080, 0.0.0.0:8080 or unix:///path/to/socket',
    );
    return undefined;
  }
  return { address: found[1].replaceAll(/[[\]]/g, ''), port };
}

function checkTls(field: Field, takesTls: boolean): void {
  if (!field.given) return;
  const fields = fieldsOf(field, SERVER_TLS);
  const mode = oneOf(fields.mode, ['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL', 'AUTO_PASSTHROUGH']);
  if (!takesTls) field.error('contradiction', 'TLS is ended for HTTP only', 'remove tls, or use protocol: HTTPS');
  if (mode !== 'SIMPLE' && mode !== 'MUTUAL')
    fields.mode.error('contradiction', 'must be SIMPLE or MUTUAL here', 'mutual TLS of the mesh is there without it');
  for (const one of [
    fields.httpsRedirect,
    fields.subjectAltNames,
    fields.credentialName,
    fields.credentialNames,
    fields.tlsCertificates,
  ]) {
    if (one.given) one.error('not-supported', 'is not supported here', 'remove it; give serverCertificate and privateKey');
  }
  field.warning('not-yet-applied', 'TLS that a sidecar ends is not applied yet; the port is not opened', 'remove tls');
}
