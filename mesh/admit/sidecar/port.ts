import type { Port, Protocol } from '../../model/port.ts';
import { type Field, fieldsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { integer, port, text } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';
import { PROTOCOLS } from '../service-entry/protocol.ts';

export interface SidecarPort {
  readonly number: Port;
  readonly protocol: Protocol;
  /** `HTTP_PROXY`: for absolute-form requests to any host. */
  readonly proxy: boolean;
}

/** A port of a Sidecar's listener; undefined when it is wrong, or a Unix socket, which has no number. */
export function sidecarPort(field: Field, socket: boolean): SidecarPort | undefined {
  const fields = fieldsOf(field, ['number', 'name', 'protocol', 'targetPort']);
  text(fields.name);
  unapplied(fields.targetPort, 'targetPort');
  const written = text(fields.protocol);
  const proxy = written.toUpperCase() === 'HTTP_PROXY';
  const protocol = written === '' ? 'unknown' : PROTOCOLS[proxy ? 'HTTP' : written.toUpperCase()];
  if (protocol === undefined)
    fields.protocol.error(
      'unknown-value',
      `"${shorten(written)}" is no protocol`,
      `use one of ${Object.keys(PROTOCOLS).join(', ')}`,
    );
  if (socket) {
    integer(fields.number, 0, 65535);
    return undefined;
  }
  if (!fields.number.given) fields.number.error('missing-field', 'number must be given', 'as number: 8080');
  const number = port(fields.number);
  return number === undefined || protocol === undefined ? undefined : { number, protocol, proxy };
}
