import type { Labels } from '../../model/object.ts';
import type { Probe } from '../../model/probe.ts';
import type { ContainerPort } from '../../model/workload.ts';
import { parsePort } from '../../model/port.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import type { PodShape } from '../mesh-object.ts';
import { stringMap } from '../metadata.ts';
import { integer, optionalText, text } from '../scalar.ts';
import { probesOf } from './probes.ts';
import { annotatedTrustedProxies } from '../proxy-config.ts';
import { protocolOf } from './protocol.ts';

/** What a pod template's (or a Pod's) metadata and spec say. The image is that of the first container that is no proxy. */
export function podShape(metadata: Field, spec: Field): PodShape {
  const { labels, annotations } = fieldsOf(metadata, ['labels', 'annotations'], 'tolerant');
  const fields = fieldsOf(spec, ['serviceAccountName', 'serviceAccount', 'containers', 'initContainers'], 'tolerant');
  const ports: ContainerPort[] = [];
  const probes: Probe[] = [];
  let image: string | undefined;
  // A native sidecar is an init container that goes on.
  let hasProxy = itemsOf(fields.initContainers).some((item) => text(fieldsOf(item, ['name'], 'tolerant').name) === 'istio-proxy');
  for (const [at, item] of itemsOf(fields.containers).entries()) {
    const container = fieldsOf(item, ['name', 'image', 'ports'], 'tolerant');
    const isProxy = text(container.name) === 'istio-proxy';
    if (isProxy) hasProxy = true;
    else {
      image ??= optionalText(container.image);
      probes.push(...probesOf(item, at));
    }
    for (const port of itemsOf(container.ports)) {
      const read = fieldsOf(port, ['name', 'containerPort', 'protocol'], 'tolerant');
      const number = parsePort(integer(read.containerPort, 1, 65535));
      const name = optionalText(read.name);
      if (number !== undefined)
        ports.push({ name, port: number, protocol: protocolOf(number, name ?? '', '', text(read.protocol)) });
    }
  }
  const trustedProxies = annotatedTrustedProxies(annotations);
  return {
    serviceAccount: optionalText(fields.serviceAccountName) ?? optionalText(fields.serviceAccount) ?? 'default',
    labels: stringMap(labels),
    ...(trustedProxies === undefined ? {} : { numTrustedProxies: trustedProxies }),
    annotations: lenientMap(annotations),
    probes,
    hasProxy,
    ports,
    image,
  };
}

/** Annotations are looked at only: one that is no text is Kubernetes' to refuse. */
function lenientMap({ node }: Field): Labels {
  if (node?.kind !== 'map') return {};
  const found: Record<string, string> = {};
  for (const [name, { value }] of node.entries)
    if (value.kind === 'scalar' && value.value !== null) found[name] = String(value.value);
  return found;
}
