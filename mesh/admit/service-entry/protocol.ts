import type { Protocol } from '../../model/port.ts';

/** Istio's names of protocols. */
export const PROTOCOLS: Readonly<Record<string, Protocol>> = Object.freeze({
  HTTP: 'http',
  HTTP2: 'http2',
  GRPC: 'grpc',
  'GRPC-WEB': 'http',
  HTTPS: 'https',
  TLS: 'tls',
  TCP: 'tcp',
  MONGO: 'tcp',
  MYSQL: 'tcp',
  REDIS: 'tcp',
  UDP: 'udp',
});
