import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';

/** What the kubelet would have asked the application itself. */
export type Prober = { readonly timeoutMs: number } & (
  | {
      readonly kind: 'http';
      readonly port: number;
      readonly path: string;
      readonly tls: boolean;
      readonly headers: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly kind: 'tcp'; readonly port: number }
  | { readonly kind: 'grpc'; readonly port: number; readonly service: string }
);

const PATH = /^\/(app-health\/[^/]+\/(livez|readyz|startupz)|app-lifecycle\/[^/]+\/(prestopz|poststartz))$/;
const MOST = 256;
/** The kubelet gives up by itself; this only ends what it has forgotten. */
const LONGEST_MS = 60_000;
const HOOK_MS = 30_000;

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

/** The probes that injection has led to the agent, by path (`ISTIO_KUBE_APP_PROBERS`). All or nothing. */
export function parseProbers(text: string | undefined): Parsed<ReadonlyMap<string, Prober>> {
  if (text === undefined || text.trim() === '') return parsed(new Map());
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused('is no JSON');
  }
  const entries = Object.entries(record(value) ?? {});
  if (record(value) === undefined || entries.length > MOST) return refused(`is no object of at most ${MOST} probes`);
  const probers = new Map<string, Prober>();
  for (const [path, given] of entries) {
    const prober = PATH.test(path) ? proberOf(record(given) ?? {}, path.startsWith('/app-lifecycle/')) : undefined;
    if (prober === undefined) return refused(`has a probe at ${JSON.stringify(path)} that cannot be meant`);
    probers.set(path, prober);
  }
  return parsed(probers);
}

function proberOf(given: Readonly<Record<string, unknown>>, isHook: boolean): Prober | undefined {
  const [http, tcp, grpc] = ['httpGet', 'tcpSocket', 'grpc'].map((field) => record(given[field]));
  const port = portOf((http ?? tcp ?? grpc)?.['port']);
  if (port === undefined) return undefined;
  const seconds = given['timeoutSeconds'];
  const timeoutMs = isHook ? HOOK_MS : Math.min(typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : 1000, LONGEST_MS);
  if (tcp !== undefined) return { kind: 'tcp', port, timeoutMs };
  if (grpc !== undefined)
    return { kind: 'grpc', port, service: typeof grpc['service'] === 'string' ? grpc['service'] : '', timeoutMs };
  const path = typeof http?.['path'] === 'string' && http['path'] !== '' ? http['path'] : '/';
  const list: unknown = http?.['httpHeaders'];
  const headers = (Array.isArray(list) ? list : []).flatMap((one: unknown) => {
    const { name, value } = record(one) ?? {};
    return typeof name === 'string' && typeof value === 'string' ? [{ name, value }] : [];
  });
  return {
    kind: 'http',
    port,
    path: path.startsWith('/') ? path : `/${path}`,
    tls: http?.['scheme'] === 'HTTPS',
    headers,
    timeoutMs,
  };
}

function portOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535 ? value : undefined;
}
