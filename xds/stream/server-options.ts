import { DEFAULT_LIMITS } from './limits.ts';

/**
 * Channel options for a gRPC server that carries discovery streams. HTTP/2 pings find half-open sockets (a machine that
 * lost power, a NAT that forgot): a dead peer is dropped after at most 60 s. Clients may ping every 5 s themselves. A ping's answer waits behind
 * all data that is on its way, and Envoy's window is 16 MiB: with 10 s for the answer, proxies on a busy machine lost their connection
 * amid their first configuration and began anew.
 */
export const serverOptions = Object.freeze({
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 40_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': DEFAULT_LIMITS.messageBytes,
  'grpc.max_send_message_length': -1,
  'grpc.max_concurrent_streams': 1_000,
  'grpc.enable_channelz': 0,
});
