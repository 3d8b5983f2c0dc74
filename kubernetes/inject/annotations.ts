import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { parseInterfaces, parsePorts, parsePortsOrAll, parseRanges, parseRangesOrAll } from '../capture/lists.ts';
import { isObject, type Json, type TextMap } from './json.ts';

type Check = (text: string) => Parsed<unknown>;

function oneOf(words: readonly string[]): Check {
  return (text) => (words.includes(text) ? parsed(text) : refused(`${JSON.stringify(text)} is none of ${words.join(', ')}`));
}

function wholeNumber(most: number): Check {
  return (text) =>
    /^\d{1,10}$/.test(text) && Number(text) <= most
      ? parsed(text)
      : refused(`${JSON.stringify(text)} is no number from 0 to ${most}`);
}

/** A Kubernetes quantity, by its shape. */
const quantity: Check = (text) =>
  /^[0-9]+(\.[0-9]+)?(m|k|[EPTGM]i?|Ki|e[0-9]+)?$/.test(text)
    ? parsed(text)
    : refused(`${JSON.stringify(text)} is no quantity (100m, 128Mi)`);

/** `WORD` or `SCOPE:LEVEL,…`, as Envoy and the agent take their log levels. */
const levels: Check = (text) =>
  /^[a-z0-9_.-]*(:[a-z]+)?(,[a-z0-9_.-]+:[a-z]+)*$/i.test(text) && text.length <= 1024
    ? parsed(text)
    : refused(`${JSON.stringify(text)} is no log level`);

const boolean = oneOf(['true', 'false']);

/** An object that names volumes, or mounts of volumes. */
export function parseNamedObjects(text: string): Parsed<Readonly<Record<string, Readonly<Record<string, Json | undefined>>>>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('is no JSON');
  }
  if (!isObject(value)) return refused('is no JSON object of volumes by their names');
  const entries = Object.entries(value);
  const found = entries.flatMap(([name, one]) => (isObject(one) ? [[name, one] as const] : []));
  return found.length === entries.length
    ? parsed(Object.fromEntries(found))
    : refused('is no JSON object of volumes by their names');
}

/** What the annotations that injection reads must look like. Others are nobody's business here. */
const CHECKS: Readonly<Record<string, Check>> = Object.freeze({
  'sidecar.istio.io/interceptionMode': oneOf(['REDIRECT', 'TPROXY', 'NONE']),
  'sidecar.istio.io/rewriteAppHTTPProbers': boolean,
  'sidecar.istio.io/nativeSidecar': boolean,
  'prometheus.istio.io/merge-metrics': boolean,
  'sidecar.istio.io/logLevel': levels,
  'sidecar.istio.io/componentLogLevel': levels,
  'sidecar.istio.io/agentLogLevel': levels,
  'sidecar.istio.io/proxyCPU': quantity,
  'sidecar.istio.io/proxyCPULimit': quantity,
  'sidecar.istio.io/proxyMemory': quantity,
  'sidecar.istio.io/proxyMemoryLimit': quantity,
  'sidecar.istio.io/userVolume': parseNamedObjects,
  'sidecar.istio.io/userVolumeMount': parseNamedObjects,
  'status.sidecar.istio.io/port': wholeNumber(65_535),
  'readiness.status.sidecar.istio.io/initialDelaySeconds': wholeNumber(2 ** 31 - 1),
  'readiness.status.sidecar.istio.io/periodSeconds': wholeNumber(2 ** 31 - 1),
  'readiness.status.sidecar.istio.io/failureThreshold': wholeNumber(2 ** 31 - 1),
  'traffic.sidecar.istio.io/includeOutboundIPRanges': parseRangesOrAll,
  'traffic.sidecar.istio.io/excludeOutboundIPRanges': parseRanges,
  'traffic.sidecar.istio.io/includeInboundPorts': parsePortsOrAll,
  'traffic.sidecar.istio.io/excludeInboundPorts': parsePorts,
  'traffic.sidecar.istio.io/includeOutboundPorts': parsePorts,
  'traffic.sidecar.istio.io/excludeOutboundPorts': parsePorts,
  'traffic.sidecar.istio.io/excludeInterfaces': parseInterfaces,
  'traffic.sidecar.istio.io/kubevirtInterfaces': parseInterfaces,
  'istio.io/reroute-virtual-interfaces': parseInterfaces,
});

/** The first annotation that cannot be meant, with the reason; undefined: none. */
export function annotationProblem(annotations: TextMap): string | undefined {
  for (const [name, check] of Object.entries(CHECKS)) {
    const value = annotations[name];
    const result = value === undefined ? undefined : check(value);
    if (result !== undefined && !result.ok) return `annotation ${name} ${result.reason}`;
  }
  return undefined;
}
