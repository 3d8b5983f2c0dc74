import type { ContainerPort } from '../../model/workload.ts';
import { parsePort } from '../../model/port.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import type { PodShape } from '../mesh-object.ts';
import { stringMap } from '../metadata.ts';
import { integer, optionalText, text } from '../scalar.ts';
import { protocolOf } from './protocol.ts';

/** What a pod template's (or a Pod's) metadata and spec say. The image is that of the first container that is no proxy. */
export function podShape(metadata: Field, spec: Field): PodShape {
  const { labels } = fieldsOf(metadata, ['labels'], 'tolerant');
  const fields = fieldsOf(spec, ['serviceAccountName', 'serviceAccount', 'containers'], 'tolerant');
  const ports: ContainerPort[] = [];
  let image: string | undefined;
  for (const item of itemsOf(fields.containers)) {
    const container = fieldsOf(item, ['name', 'image', 'ports'], 'tolerant');
    if (text(container.name) !== 'istio-proxy') image ??= optionalText(container.image);
    for (const port of itemsOf(container.ports)) {
      const read = fieldsOf(port, ['name', 'containerPort', 'protocol'], 'tolerant');
      const number = parsePort(integer(read.containerPort, 1, 65535));
      const name = optionalText(read.name);
      if (number !== undefined)
        ports.push({ name, port: number, protocol: protocolOf(number, name ?? '', '', text(read.protocol)) });
    }
  }
  return {
    serviceAccount: optionalText(fields.serviceAccountName) ?? optionalText(fields.serviceAccount) ?? 'default',
    labels: stringMap(labels),
    ports,
    image,
  };
}
