import { covers, type Hostname } from '../mesh/model/hostname.ts';
import { indexedBy } from '../mesh/model/indexed-by.ts';
import { selects } from '../mesh/model/object.ts';
import type { Port } from '../mesh/model/port.ts';
import type { Proxy } from '../mesh/model/proxy.ts';
import type { Service } from '../mesh/model/service.ts';
import type { EgressHost, EgressListener, Sidecar } from '../mesh/model/sidecar.ts';
import type { Snapshot } from '../mesh/model/snapshot.ts';
import type { VirtualService } from '../mesh/model/virtual-service.ts';

const byNamespace = indexedBy<Sidecar>(({ meta }) => [meta.namespace]);

/**
 * The Sidecar that holds for a proxy: of its namespace one that selects it, else the namespace's own, else that of the root namespace; of
 * several the oldest. Gateways have none.
 */
export function sidecarFor({ sidecars, meshConfig }: Snapshot, { kind, workload, instance }: Proxy): Sidecar | undefined {
  if (kind === 'gateway' || sidecars.length === 0) return undefined;
  const own = byNamespace(sidecars, workload.namespace);
  return (
    own.find(({ workloadSelector }) => workloadSelector !== undefined && selects(workloadSelector, instance.labels)) ??
    own.find(({ workloadSelector }) => workloadSelector === undefined) ??
    byNamespace(sidecars, meshConfig.rootNamespace).find(({ workloadSelector }) => workloadSelector === undefined)
  );
}

function names({ namespace, host }: EgressHost, home: string, wanted: Hostname): boolean {
  return (namespace === '*' || namespace === home) && covers(host, wanted);
}

/** Whether a listener imports a host of a namespace as a whole. */
function imports({ hosts }: EgressListener, home: string, host: Hostname): boolean {
  return (
    hosts.some((one) => !one.excluded && names(one, home, host)) && !hosts.some((one) => one.excluded && names(one, home, host))
  );
}

/** A VirtualService of a wildcard is imported with any host under it: it may be what routes that host. */
function importsRoutes(listener: EgressListener, home: string, host: Hostname): boolean {
  if (imports(listener, home, host)) return true;
  return (
    host.startsWith('*') &&
    listener.hosts.some((one) => !one.excluded && (one.namespace === '*' || one.namespace === home) && covers(host, one.host)) &&
    !listener.hosts.some((one) => one.excluded && names(one, home, host))
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

/** Ports by which VirtualServices lead to a host; `all` where one names none. */
type Led = ReadonlyMap<Hostname, ReadonlySet<Port> | 'all'>;

function ledTo(virtuals: readonly VirtualService[], namespace: string): Led {
  const led = new Map<Hostname, Set<Port> | 'all'>();
  const fromHere = (matches: readonly { readonly sourceNamespace: string | undefined }[]): boolean =>
    matches.length === 0 || matches.some(({ sourceNamespace }) => sourceNamespace === undefined || sourceNamespace === namespace);
  for (const virtual of virtuals) {
    const ofHttp = virtual.http
      .filter(({ match }) => fromHere(match))
      .flatMap(({ action, mirrors }) => [...(action.kind === 'route' ? action.destinations : []), ...mirrors]);
    const ofOthers = [...virtual.tls, ...virtual.tcp]
      .filter(({ match }) => fromHere(match))
      .flatMap((route) => route.destinations);
    for (const { destination } of [...ofHttp, ...ofOthers]) {
      const { host, port } = destination;
      const known = led.get(host);
      if (known === 'all' || port === undefined) led.set(host, 'all');
      else led.set(host, (known ?? new Set()).add(port));
    }
  }
  return led;
}

/** Whether a Sidecar imports the VirtualService of a host in it. */
export function importsVirtualService({ egress }: Sidecar, virtual: VirtualService): boolean {
  return egress.some((listener) => virtual.hosts.some((host) => importsRoutes(listener, virtual.meta.namespace, host)));
}

/**
 * What a Sidecar leaves of the services that are visible. A listener with a port imports that port alone, and the one without has the ports that
 * no other names. Where imported VirtualServices lead is imported as well, on the ports to which they lead; of several services of one host those
 * that a listener names go first.
 */
export function importedServices(
  { egress }: Sidecar,
  visible: readonly Service[],
  virtuals: readonly VirtualService[],
  namespace: string,
): readonly Service[] {
  const named = new Set(egress.flatMap(({ port }) => port ?? []));
  const led = ledTo(virtuals, namespace);
  const importing = ({ meta, hostname }: Service) => egress.filter((listener) => imports(listener, meta.namespace, hostname));
  const owners = new Map<Hostname, Set<string>>();
  for (const service of visible) {
    if (importing(service).length > 0)
      owners.set(service.hostname, (owners.get(service.hostname) ?? new Set()).add(service.meta.namespace));
  }
  return visible.flatMap((service) => {
    const listeners = importing(service);
    const known = owners.get(service.hostname);
    const ledPorts = known === undefined || known.has(service.meta.namespace) ? led.get(service.hostname) : undefined;
    if (service.ports.length === 0) return listeners.some(({ port }) => port === undefined) || ledPorts === 'all' ? service : [];
    const left = withPorts(
      service,
      (port) =>
        ledPorts === 'all' ||
        ledPorts?.has(port) === true ||
        listeners.some((listener) =>
          listener.port === undefined ? listener.anyPort === true || !named.has(port) : listener.port === port,
        ),
    );
    return left ?? [];
  });
}
