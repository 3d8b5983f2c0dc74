import { indexedBy } from '../../model/indexed-by.ts';
import type { MeshConfig } from '../../model/mesh-config.ts';
import { type Labels, selects } from '../../model/object.ts';
import { isHttp, type Protocol } from '../../model/port.ts';
import type { Diagnostic } from '../../model/diagnostic.ts';
import { protocolOf } from '../core/protocol.ts';
import { itemsAt, labelsAt, nodeAt, numberAt, textAt } from '../node-path.ts';
import { type Node, shorten } from '../node.ts';
import type { Written } from '../written.ts';
import { foundInEach } from '../../model/found-in.ts';
import { finding, type Inventory } from './inventory.ts';
import { remembered } from '../../model/remembered.ts';

function protocol(port: Node): Protocol {
  return protocolOf(numberAt(port, 'port') ?? 0, textAt(port, 'name'), textAt(port, 'appProtocol'), textAt(port, 'protocol'));
}

/** Kubernetes' own namespaces and what is installed with the mesh are not the user's to name. */
function isSystem({ namespace, node }: Written, rootNamespace: string): boolean {
  const labels = labelsAt(node, 'metadata', 'labels');
  return (
    namespace.startsWith('kube-') ||
    namespace === rootNamespace ||
    labels['istio'] !== undefined ||
    labels['release'] === 'istio' ||
    labels['gateway.istio.io/managed'] !== undefined
  );
}

const portNames = remembered(({ rootNamespace }: MeshConfig) =>
  foundInEach<Written, Diagnostic>((service) => {
    const external = textAt(service.node, 'spec', 'type') === 'ExternalName';
    if (isSystem(service, rootNamespace)) return [];
    return itemsAt(service.node, 'spec', 'ports').flatMap((port, at) => {
      const found = protocol(port);
      const field = `spec.ports[${at}]`;
      const written = shorten(textAt(port, 'name'));
      const name = written === '' ? 'without a name' : `named "${written}"`;
      if (external)
        return found === 'tcp' || found === 'unknown'
          ? [
              finding(
                service,
                field,
                'warning',
                'external-name-port',
                `a port ${name} of an ExternalName Service is TCP: proxies cannot tell its calls from others on port ${numberAt(port, 'port') ?? ''}`,
                'name it for its protocol, as http or https (or tls-...)',
              ),
            ]
          : [];
      if (found !== 'unknown' || textAt(port, 'appProtocol') !== '') return [];
      return [
        finding(
          service,
          field,
          'info',
          'port-without-protocol',
          `a port ${name} tells no protocol: proxies look at the first bytes, and policy may see TCP where it expects HTTP`,
          'set appProtocol, or name it http-..., grpc-... or tcp-...',
        ),
      ];
    });
  }),
);

/** HTTP is read, everything else is only passed on. */
function kindOf(found: Protocol): 'HTTP' | 'TCP' | undefined {
  if (isHttp(found)) return 'HTTP';
  return found === 'unknown' || found === 'udp' ? undefined : 'TCP';
}

/** The container's port behind a Service port: a number, or the name that a container gives one. */
function targetOf(port: Node, containers: readonly Node[]): number | undefined {
  const target = nodeAt(port, 'targetPort');
  if (target?.kind !== 'scalar') return numberAt(port, 'port');
  if (typeof target.value === 'number') return target.value;
  const named = containers.flatMap((container) =>
    itemsAt(container, 'ports').filter((one) => textAt(one, 'name') === target.value),
  );
  return numberAt(named[0], 'containerPort');
}

/** Services with a selector, by namespace and one of the labels that whatever they select must have. */
const selecting = indexedBy<Written>((service) => {
  const [first] = Object.entries(selectorOf(service));
  return first === undefined ? [] : [`${service.namespace} ${first[0]}=${first[1]}`];
});

const selectorOf = remembered(({ node }: Written): Labels => labelsAt(node, 'spec', 'selector'));

interface Template {
  readonly labels: Labels;
  readonly containers: readonly Node[];
  /** Under which Services may stand that select it. */
  readonly keys: readonly string[];
}

/** Of a workload with a proxy. */
const templateOf = remembered(({ namespace, node }: Written): Template | undefined => {
  const template = nodeAt(node, 'spec', 'template');
  const labels = labelsAt(template, 'metadata', 'labels');
  const inject = labels['sidecar.istio.io/inject'] ?? labelsAt(template, 'metadata', 'annotations')['sidecar.istio.io/inject'];
  if (inject === 'false') return undefined;
  const keys = Object.entries(labels).map(([name, value]) => `${namespace} ${name}=${value}`);
  return { labels, containers: itemsAt(template, 'spec', 'containers'), keys };
});

function conflicts(deployment: Written, { labels, containers }: Template, services: readonly Written[]): readonly Diagnostic[] {
  const ports = new Map<number, { readonly kind: 'HTTP' | 'TCP'; readonly service: string }[]>();
  for (const service of services) {
    if (!selects(selectorOf(service), labels)) continue;
    for (const port of itemsAt(service.node, 'spec', 'ports')) {
      const kind = kindOf(protocol(port));
      const target = targetOf(port, containers);
      if (kind === undefined || target === undefined) continue;
      ports.set(target, [...(ports.get(target) ?? []), { kind, service: service.name }]);
    }
  }
  return [...ports].flatMap(([port, uses]) => {
    const [first] = uses;
    const other = uses.find(({ kind }) => kind !== first?.kind);
    if (first === undefined || other === undefined) return [];
    return [
      finding(
        deployment,
        'spec.template',
        'warning',
        'protocol-conflict',
        `port ${port} is ${first.kind} in Service ${first.service} and ${other.kind} in Service ${other.service}; its proxy takes it for one of them`,
        'give the port one protocol in all Services',
      ),
    ];
  });
}

interface Compared {
  readonly groups: readonly (readonly Written[])[];
  readonly found: readonly Diagnostic[];
}

const compared = new WeakMap<Written, Compared>();

/** Workloads of which one port is HTTP in one Service and TCP in another. */
function protocolConflicts(inventory: Inventory): readonly Diagnostic[] {
  const services = inventory.kubernetes('Service');
  return inventory.kubernetes('Deployment').flatMap((deployment) => {
    const template = templateOf(deployment);
    if (template === undefined) return [];
    const groups = template.keys.map((key) => selecting(services, key));
    const before = compared.get(deployment);
    if (before !== undefined && groups.every((group, at) => group === before.groups[at])) return before.found;
    const behind = [...new Set(groups.flat())].sort((one, other) => (one.name < other.name ? -1 : 1));
    const found = conflicts(deployment, template, behind);
    compared.set(deployment, { groups, found });
    return found;
  });
}

/** Services whose ports do not say what is spoken, or say different things. */
export function servicePorts(inventory: Inventory): readonly Diagnostic[] {
  return [...portNames(inventory.part('meshConfig'))(inventory.kubernetes('Service')), ...protocolConflicts(inventory)];
}
