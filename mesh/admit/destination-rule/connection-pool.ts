import type { ConnectionPool, TcpKeepalive } from '../../model/destination-rule.ts';
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
  const tcpIdle = duration(plain.idleTimeout, 0);
  return {
    maxConnections: integer(plain.maxConnections, 0, MOST),
    connectTimeoutMs: duration(plain.connectTimeout, 1),
    tcpKeepalive: tcpKeepalive(plain.tcpKeepalive),
    maxConnectionDurationMs: duration(plain.maxConnectionDuration, 1),
    tcpIdleTimeoutMs: tcpIdle,
    http1MaxPendingRequests: integer(web.http1MaxPendingRequests, 0, MOST),
    http2MaxRequests: integer(web.http2MaxRequests, 0, MOST),
    maxRequestsPerConnection: integer(web.maxRequestsPerConnection, 0, MOST),
    maxRetries: integer(web.maxRetries, 0, MOST),
    idleTimeoutMs: duration(web.idleTimeout, 0) ?? tcpIdle,
    maxConcurrentStreams: integer(web.maxConcurrentStreams, 0, MOST),
    http2KeepAlive: http2KeepAlive(web.http2KeepAlive),
    upgradeToHttp2: upgrade(web.h2UpgradePolicy),
    useClientProtocol: flag(web.useClientProtocol) ?? false,
  };
}

/** Of connections to the own application, which is spoken to as its port declares. */
export function inboundConnectionPool(field: Field): ConnectionPool | undefined {
  const { http } = fieldsOf(field, ['http'], 'tolerant');
  const { h2UpgradePolicy, useClientProtocol } = fieldsOf(http, ['h2UpgradePolicy', 'useClientProtocol'], 'tolerant');
  unapplied(h2UpgradePolicy, 'h2UpgradePolicy toward the own application');
  unapplied(useClientProtocol, 'useClientProtocol toward the own application');
  return connectionPool(field);
}

export function upgrade(field: Field): boolean | undefined {
  const policy = oneOf(field, ['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']);
  switch (policy) {
    case undefined:
    case 'DEFAULT':
      return undefined;
    case 'UPGRADE':
      return true;
    case 'DO_NOT_UPGRADE':
      return false;
  }
  return policy satisfies never;
}

function http2KeepAlive(field: Field): ConnectionPool['http2KeepAlive'] {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['interval', 'timeout']);
  if (!(fields.interval.given && fields.timeout.given))
    field.error('missing-field', 'needs interval and timeout', 'as http2KeepAlive: {interval: 30s, timeout: 5s}');
  return { intervalMs: duration(fields.interval, 1) ?? 1, timeoutMs: duration(fields.timeout, 1) ?? 1 };
}

export function tcpKeepalive(field: Field): TcpKeepalive | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['probes', 'time', 'interval']);
  return {
    probes: integer(fields.probes, 0, MOST),
    timeMs: duration(fields.time, 1),
    intervalMs: duration(fields.interval, 1),
  };
}
