import type { WorkloadEntry } from '../../model/workload-entry.ts';
import { parseHostname } from '../../model/hostname.ts';
import type { Port } from '../../model/port.ts';
import { isAddress } from '../address.ts';
import type { Context } from '../context.ts';
import { entriesOf, type Field, fieldsOf } from '../field.ts';
import { parseLocality } from '../locality.ts';
import { shorten } from '../node.ts';
import { integer, optionalText, port, text, textMap } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';

const KNOWN = ['address', 'ports', 'labels', 'network', 'locality', 'weight', 'serviceAccount'] as const;
const MOST_WEIGHT = 4_294_967_295;

/** Reads a WorkloadEntry; its labels are those of the spec and those of the object. */
export function readWorkloadEntry(spec: Field, context: Context): WorkloadEntry {
  const fields = fieldsOf(spec, KNOWN);
  if (!spec.given) spec.error('missing-field', 'must be given', 'as spec: {address: 10.0.0.7}');
  const address = addressOf(fields.address, fields.ports, fields.network);
  const ports: Record<string, Port> = {};
  for (const [name, value] of entriesOf(fields.ports)) {
    const number = port(value);
    if (number !== undefined) ports[name] = number;
  }
  unapplied(fields.network, 'network');
  text(fields.network);
  return {
    meta: context.meta,
    address,
    ports,
    labels: { ...context.meta.labels, ...textMap(fields.labels) },
    weight: integer(fields.weight, 0, MOST_WEIGHT) ?? 1,
    serviceAccount: optionalText(fields.serviceAccount) ?? 'default',
    locality: parseLocality(text(fields.locality)),
  };
}

function addressOf(field: Field, ports: Field, network: Field): string | undefined {
  const written = text(field);
  if (written === '') {
    if (network.given) field.warning('no-address', 'is missing; nothing is sent to it here', 'as address: 10.0.0.7');
    else field.error('missing-field', 'must be given', 'as address: 10.0.0.7');
    return undefined;
  }
  if (written.startsWith('unix://')) {
    if (!/^unix:\/\/[/@]/.test(written))
      field.error('bad-address', 'the path of a Unix socket must be absolute', 'as unix:///run/app.sock');
    if (ports.given) ports.error('contradiction', 'a Unix socket has no ports', 'remove them');
    return written;
  }
  if (isAddress(written)) return written;
  if (parseHostname(written) === undefined) {
    field.error('bad-address', `"${shorten(written)}" is no address and no host name`, 'as address: 10.0.0.7');
    return undefined;
  }
  field.warning('not-yet-applied', 'is a host name, which ServiceEntries with resolution: DNS reach, and no other service does');
  return written;
}
