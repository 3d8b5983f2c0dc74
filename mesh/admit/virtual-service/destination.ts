import type { Destination } from '../../model/virtual-service.ts';
import { type Context, refer } from '../context.ts';
import { type Field, fieldsOf } from '../field.ts';
import { hostname } from '../hosts.ts';
import { optionalText, port } from '../scalar.ts';
import { oldForm } from '../unapplied.ts';

/** Where a route sends to; undefined when its host is wrong (reported). `name` is what v1alpha3 once called `host`. */
export function destination(field: Field, context: Context): Destination | undefined {
  if (!field.given) {
    field.error('missing-field', 'a destination must be given', 'as destination: {host: reviews}');
    return undefined;
  }
  const fields = fieldsOf(field, ['host', 'subset', 'port', 'name']);
  oldForm(fields.name, 'destination.host');
  if (fields.name.given && fields.host.given) fields.name.error('contradiction', 'name and host are both given', 'keep host');
  const host = hostname(fields.host.given ? fields.host : fields.name.given ? fields.name : fields.host, context);
  if (host?.includes('*')) fields.host.error('bad-host', 'a destination cannot be a wildcard', 'name one host');
  const portFields = fieldsOf(fields.port, ['number', 'name']);
  if (portFields.name.given) portFields.name.error('unknown-field', 'a destination port has no name', 'give its number');
  if (fields.port.given && !portFields.number.given)
    fields.port.error('missing-field', 'the port has no number', 'as port: {number: 9080}');
  const number = port(portFields.number);
  if (host === undefined) return undefined;
  const found = { host, subset: optionalText(fields.subset), port: number };
  refer(context, fields.host.given ? fields.host : fields.name, { kind: 'destination', destination: found });
  if (found.subset !== undefined) refer(context, fields.subset, { kind: 'subset', host, subset: found.subset });
  return found;
}
