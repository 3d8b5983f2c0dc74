import type { ConnectionPool } from '../../model/destination-rule.ts';
import { duration } from '../duration.ts';
import { type Field, fieldsOf } from '../field.ts';
import { flag, integer, oneOf } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';

const MOST = 2_147_483_647;

export function connectionPool(field: Field): ConnectionPool | undefined {
  if (!field.given) return undefined;
  const { http, tcp } = fieldsOf(field, ['http', 'tcp']);
  if (!http.given && !tcp.given) field.error('missing-field', 'the connection pool is empty', 'give http or tcp, or remove it');
  const web = fieldsOf(http, [
    'http1MaxPendingRequests',
    'http2MaxRequests',
    'maxRequestsPerConnection',
    'maxRetries',
    'idleTimeout',
    'h2UpgradePolicy',
    'useClientProtocol',
    'maxConcurrentStreams',
    'http2KeepAlive',
  ]);
  const plain = fieldsOf(tcp, ['maxConnections', 'connectTimeout', 'tcpKeepalive', 'maxConnectionDuration', 'idleTimeout']);
  oneOf(web.h2UpgradePolicy, ['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']);
  flag(web.useClientProtocol);
  integer(web.maxConcurrentStreams, 0, MOST);
  const alive = fieldsOf(web.http2KeepAlive, ['interval', 'timeout']);
  if (web.http2KeepAlive.given && !(alive.interval.given && alive.timeout.given))
    web.http2KeepAlive.error('missing-field', 'needs interval and timeout', 'as http2KeepAlive: {interval: 30s, timeout: 5s}');
  duration(alive.interval, 1);
  duration(alive.timeout, 1);
  const tcpAlive = fieldsOf(plain.tcpKeepalive, ['probes', 'time', 'interval']);
  integer(tcpAlive.probes, 0, MOST);
  duration(tcpAlive.time, 1);
  duration(tcpAlive.interval, 1);
  duration(plain.maxConnectionDuration, 1);
  const tcpIdle = duration(plain.idleTimeout, 0);
  for (const one of [
    web.h2UpgradePolicy,
    web.useClientProtocol,
    web.maxConcurrentStreams,
    web.http2KeepAlive,
    plain.tcpKeepalive,
    plain.maxConnectionDuration,
  ]) {
    unapplied(one, one.path.split('.').at(-1) ?? '');
  }
  return {
    maxConnections: integer(plain.maxConnections, 0, MOST),
    connectTimeoutMs: duration(plain.connectTimeout, 1),
    http1MaxPendingRequests: integer(web.http1MaxPendingRequests, 0, MOST),
    http2MaxRequests: integer(web.http2MaxRequests, 0, MOST),
    maxRequestsPerConnection: integer(web.maxRequestsPerConnection, 0, MOST),
    maxRetries: integer(web.maxRetries, 0, MOST),
    idleTimeoutMs: duration(web.idleTimeout, 0) ?? tcpIdle,
  };
}
