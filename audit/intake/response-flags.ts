import type { LogFlags } from './log-entry.ts';

/** Envoy's short names, as its text access log prints them (docs: "Response Flags"), in the order of the message's fields. */
const SHORT = Object.freeze([
  ['failedLocalHealthcheck', 'LH'],
  ['noHealthyUpstream', 'UH'],
  ['upstreamRequestTimeout', 'UT'],
  ['localReset', 'LR'],
  ['upstreamRemoteReset', 'UR'],
  ['upstreamConnectionFailure', 'UF'],
  ['upstreamConnectionTermination', 'UC'],
  ['upstreamOverflow', 'UO'],
  ['noRouteFound', 'NR'],
  ['delayInjected', 'DI'],
  ['faultInjected', 'FI'],
  ['rateLimited', 'RL'],
  ['unauthorizedDetails', 'UAEX'],
  ['rateLimitServiceError', 'RLSE'],
  ['downstreamConnectionTermination', 'DC'],
  ['upstreamRetryLimitExceeded', 'URX'],
  ['streamIdleTimeout', 'SI'],
  ['invalidEnvoyRequestHeaders', 'IH'],
  ['downstreamProtocolError', 'DPE'],
  ['upstreamMaxStreamDurationReached', 'UMSDR'],
  ['responseFromCacheFilter', 'RFCF'],
  ['noFilterConfigFound', 'NFCF'],
  ['durationTimeout', 'DT'],
  ['upstreamProtocolError', 'UPE'],
  ['noClusterFound', 'NC'],
  ['overloadManager', 'OM'],
  ['dnsResolutionFailure', 'DF'],
  ['downstreamRemoteReset', 'DR'],
] as const);

export type FlagField = (typeof SHORT)[number][0];

/** By the field's number. */
export function flagFieldOf(number: number): FlagField | undefined {
  return SHORT[number - 1]?.[0];
}

const NO_FLAGS: readonly string[] = Object.freeze([]);

export function flagsOf(flags: LogFlags | undefined): readonly string[] {
  if (!flags) return NO_FLAGS;
  return SHORT.filter(([field]) => flags[field] !== false && flags[field] !== undefined).map(([, short]) => short);
}
