/** Bounds on what a peer can make us keep or do. A proxy is authenticated, not trusted. */
export interface Limits {
  /** One request, in bytes. A reconnecting proxy lists all it has: about 100 bytes for each resource. */
  readonly messageBytes: number;
  /** Names that one stream may subscribe to, for one type; also entries of `initial_resource_versions`. */
  readonly names: number;
  readonly nameLength: number;
  /** Open streams of one identity: as many as one service account has pods, with room for reconnects. */
  readonly streamsPerIdentity: number;
  /** Open streams of one pod. More than one is a proxy that reconnected before its old socket was found dead. */
  readonly streamsPerNode: number;
  /** Responses of one type that a stream may leave unanswered; each is remembered until it is. */
  readonly outstanding: number;
  /** How long a stream may stay without its first request, in milliseconds. */
  readonly firstRequestMs: number;
  /** How long what depends on unacknowledged resources is held back, in milliseconds, before it is sent all the same. */
  readonly releaseMs: number;
}

export const DEFAULT_LIMITS: Limits = Object.freeze({
  messageBytes: 8 * 1024 * 1024,
  names: 50_000,
  nameLength: 1024,
  streamsPerIdentity: 5_000,
  streamsPerNode: 4,
  outstanding: 1_000,
  firstRequestMs: 15_000,
  releaseMs: 10_000,
});
