import { isObject, type Json, type JsonObject, listAt } from './json.ts';
import { type Container, containersOf, type PodTemplate, PROXY, withSpec } from './pod.ts';

const PROBES = Object.freeze({ readinessProbe: 'readyz', livenessProbe: 'livez', startupProbe: 'startupz' });
const HANDLERS = Object.freeze({ preStop: 'prestopz', postStart: 'poststartz' });

/** What the agent is to ask in place of the kubelet, by the path at which the kubelet asks the agent. */
export type Probers = Readonly<Record<string, JsonObject>>;

export interface Rewritten {
  readonly pod: PodTemplate;
  readonly probers: Probers;
}

/** Whether the kubelet looks at the probes of such a container at all. */
function isProbed(container: Container, list: 'containers' | 'initContainers'): boolean {
  return container.name !== PROXY && (list === 'containers' || container['restartPolicy'] === 'Always');
}

/**
 * Leads the kubelet's probes (HTTP, HTTPS, TCP, gRPC) and HTTP and TCP lifecycle hooks to the agent: the kubelet has no identity in the mesh, so that
 * captured ports under mutual TLS would refuse it.
 */
export function rewriteProbes(pod: PodTemplate, port: number): Rewritten {
  const probers: Record<string, JsonObject> = {};
  const rewrite = (container: Container): JsonObject => {
    let result: JsonObject = container;
    for (const [field, word] of Object.entries(PROBES)) {
      const found = redirected(container[field], container, `/app-health/${container.name}/${word}`, port, probers);
      if (found !== undefined) result = { ...result, [field]: found };
    }
    const lifecycle = container['lifecycle'];
    if (!isObject(lifecycle)) return result;
    const handlers: Record<string, Json | undefined> = { ...lifecycle };
    for (const [field, word] of Object.entries(HANDLERS)) {
      const found = redirected(lifecycle[field], container, `/app-lifecycle/${container.name}/${word}`, port, probers);
      if (found !== undefined) handlers[field] = found;
    }
    return { ...result, lifecycle: handlers };
  };
  return { pod: mapContainers(pod, rewrite), probers: sortedProbers(probers) };
}

function mapContainers(pod: PodTemplate, change: (container: Container) => JsonObject): PodTemplate {
  const lists = (['containers', 'initContainers'] as const).flatMap((list) =>
    pod.spec[list] === undefined || pod.spec[list] === null
      ? []
      : [[list, containersOf(pod, list).map((one) => (isProbed(one, list) ? change(one) : one))] as const],
  );
  return withSpec(pod, Object.fromEntries(lists));
}

function sortedProbers(probers: Record<string, JsonObject>): Probers {
  return Object.fromEntries(Object.entries(probers).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The probe as it leads to the agent; undefined: it is left as it is. */
function redirected(
  probe: Json | undefined,
  container: Container,
  path: string,
  port: number,
  probers: Record<string, JsonObject>,
): JsonObject | undefined {
  if (!isObject(probe)) return undefined;
  const { httpGet, tcpSocket, grpc, ...rest } = probe;
  const action = isObject(httpGet) ? { httpGet } : isObject(tcpSocket) ? { tcpSocket } : isObject(grpc) ? { grpc } : undefined;
  if (action === undefined) return undefined;
  const resolved = withNumber(action, container);
  // The kubelet cannot find such a port either.
  if (resolved === undefined) return undefined;
  const { timeoutSeconds } = rest;
  probers[path] = { ...resolved, ...(typeof timeoutSeconds === 'number' ? { timeoutSeconds } : {}) };
  const scheme = isObject(httpGet) && httpGet['scheme'] !== undefined ? { scheme: 'HTTP' } : {};
  const headers = isObject(httpGet) && httpGet['httpHeaders'] !== undefined ? { httpHeaders: httpGet['httpHeaders'] } : {};
  return { ...rest, httpGet: { path, port, ...scheme, ...headers } };
}

/** With the port's number in place of its name; undefined: the container has no such port. */
function withNumber(action: Readonly<Record<string, JsonObject>>, container: Container): JsonObject | undefined {
  const entries = Object.entries(action).map(([kind, given]) => {
    const { port } = given;
    if (typeof port !== 'string') return [kind, given] as const;
    const named = listAt(container, 'ports').find((one) => one['name'] === port)?.['containerPort'];
    const number = /^\d+$/.test(port) ? Number(port) : named;
    return [kind, typeof number === 'number' ? { ...given, port: number } : undefined] as const;
  });
  return entries.some(([, given]) => given === undefined) ? undefined : Object.fromEntries(entries);
}

/** The probes as they were before, for a pod that is injected once more. */
export function restoreProbes(pod: PodTemplate, probers: Probers): PodTemplate {
  const restored = (probe: Json | undefined, path: string): JsonObject | undefined => {
    const original = probers[path];
    if (!isObject(probe) || original === undefined) return undefined;
    const given = probe['httpGet'];
    if (!isObject(given) || given['path'] !== path) return undefined;
    const { httpGet: _ours, ...rest } = probe;
    return { ...rest, ...original };
  };
  return mapContainers(pod, (container) => {
    let result: JsonObject = container;
    for (const [field, word] of Object.entries(PROBES)) {
      const found = restored(container[field], `/app-health/${container.name}/${word}`);
      if (found !== undefined) result = { ...result, [field]: found };
    }
    const lifecycle = container['lifecycle'];
    if (!isObject(lifecycle)) return result;
    const handlers: Record<string, Json | undefined> = { ...lifecycle };
    for (const [field, word] of Object.entries(HANDLERS)) {
      const found = restored(lifecycle[field], `/app-lifecycle/${container.name}/${word}`);
      if (found !== undefined) handlers[field] = found;
    }
    return { ...result, lifecycle: handlers };
  });
}
