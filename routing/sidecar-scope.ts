import { covers, type Hostname } from '../mesh/model/hostname.ts';
import { selects } from '../mesh/model/object.ts';
import type { Port } from '../mesh/model/port.ts';
import type { Proxy } from '../mesh/model/proxy.ts';
import type { Service } from '../mesh/model/service.ts';
import type { EgressHost, EgressListener, Sidecar } from '../mesh/model/sidecar.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { VirtualService } from '../mesh/model/virtual-service.ts';

/**
 * The Sidecar that holds for a proxy: of its namespace one that selects it, else the namespace's own, else that of the root namespace; of
 * several the oldest. Gateways have none.
 */
export function sidecarFor({ sidecars, meshConfig }: Snapshot, { kind, workload, instance }: Proxy): Sidecar | undefined {
  if (kind === 'gateway' || sidecars.length === 0) return undefined;
  const own = sidecars.filter(({ meta }) => meta.namespace === workload.namespace);
  return (
    own.find(({ workloadSelector }) => workloadSelector !== undefined && selects(workloadSelector, instance.labels)) ??
    own.find(({ workloadSelector }) => workloadSelector === undefined) ??
    sidecars.find(({ meta, workloadSelector }) => meta.namespace === meshConfig.rootNamespace && workloadSelector === undefined)
  );
}

function names({ namespace, host }: EgressHost, home: string, wanted: Hostname): boolean {
  return (namespace === '*' || namespace === home) && (covers(host, wanted) || (wanted.startsWith('*') && covers(wanted, host)));
}

function imports({ hosts }: EgressListener, home: string, host: Hostname): boolean {
  return (
    hosts.some((one) => !one.excluded && names(one, home, host)) && !hosts.some((one) => one.excluded && names(one, home, host))
  );
}

const onPorts = new WeakMap<Service, Map<string, Service>>();

/** The service with some of its ports; the same object for the same ports, so that what is made of it can be kept. */
function withPorts(service: Service, keep: (port: Port) => boolean): Service | undefined {
  const ports = service.ports.filter(({ port }) => keep(port));
  if (ports.length === service.ports.length) return service;
  if (ports.length === 0) return undefined;
  const key = ports.map(({ port, name }) => `${port} ${name}`).join();
  const known = onPorts.get(service) ?? new Map<string, Service>();
  onPorts.set(service, known);
  const made = known.get(key) ?? Object.freeze({ ...service, ports });
  known.set(key, made);
  return made;
}

function destinations(virtual: VirtualService): readonly Hostname[] {
  const ofHttp = virtual.http.flatMap(({ action, mirrors }) => [
    ...(action.kind === 'route' ? action.destinations : []),
    ...mirrors,
  ]);
  return [...ofHttp, ...[...virtual.tls, ...virtual.tcp].flatMap((route) => route.destinations)].map(
    ({ destination }) => destination.host,
  );
}

/** Whether a Sidecar imports the VirtualService of a host in it. */
export function importsVirtualService({ egress }: Sidecar, virtual: VirtualService): boolean {
  return egress.some((listener) => virtual.hosts.some((host) => imports(listener, virtual.meta.namespace, host)));
}

/**
 * What a Sidecar leaves of the services that are visible. A listener with a port imports that port alone, and the one without has the ports that
 * no other names. Where imported VirtualServices lead is imported as well.
 */
export function importedServices(
  { egress }: Sidecar,
  visible: readonly Service[],
  virtuals: readonly VirtualService[],
): readonly Service[] {
  const named = new Set(egress.flatMap(({ port }) => port ?? []));
  const led = new Set(virtuals.flatMap(destinations));
  return visible.flatMap((service) => {
    const imported = (port: Port): boolean =>
      egress.some(
        (listener) =>
          (listener.port === undefined ? !named.has(port) : listener.port === port) &&
          imports(listener, service.meta.namespace, service.hostname),
      );
    const left = withPorts(service, (port) => imported(port) || led.has(service.hostname));
    return left ?? [];
  });
}
