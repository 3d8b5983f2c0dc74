import { DEFAULT_LIMITS } from './limits.ts';

/**
 * Channel options for a gRPC server that carries discovery streams. HTTP/2 pings find half-open sockets (a machine that
 * lost power, a NAT that forgot): a dead peer is dropped after at most 30 s. Clients may ping every 5 s themselves.
 */
export const serverOptions = Object.freeze({
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.max_receive_message_length': DEFAULT_LIMITS.messageBytes,
  'grpc.max_send_message_length': -1,
  'grpc.max_concurrent_streams': 1_000,
  'grpc.enable_channelz': 0,
});
