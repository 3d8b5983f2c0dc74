import type { MtlsMode, PeerAuthentication } from '../../model/peer-authentication.ts';
import { parsePort, type Port } from '../../model/port.ts';
import type { Context } from '../context.ts';
import { type Field, entriesOf, fieldsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { oneOf } from '../scalar.ts';
import { selectedWorkloads } from '../selector.ts';

const MODES = ['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'] as const;

/** Reads a PeerAuthentication's spec. */
export function readPeerAuthentication(spec: Field, context: Context): PeerAuthentication {
  const fields = fieldsOf(spec, ['selector', 'mtls', 'portLevelMtls']);
  const selector = selectedWorkloads(fields.selector, context);
  const portLevel = new Map<Port, MtlsMode>();
  for (const [name, level] of entriesOf(fields.portLevelMtls)) {
    const port = /^\d{1,5}$/.test(name) ? parsePort(Number(name)) : undefined;
    if (port === undefined) level.error('out-of-range', `"${shorten(name)}" is no port`, 'use a number from 1 to 65535');
    if (!level.given) level.error('missing-field', 'the mode is not given', 'as mode: STRICT');
    const mode = modeOf(level);
    if (port !== undefined) portLevel.set(port, mode);
  }
  if (fields.portLevelMtls.given) {
    if (Object.keys(selector).length === 0) {
      fields.portLevelMtls.error(
        'contradiction',
        'modes by port need a selector',
        'add selector: {matchLabels: {app: ...}}, since ports belong to workloads',
      );
    }
    if (portLevel.size === 0 && !spec.report.failed)
      fields.portLevelMtls.error('missing-field', 'names no port', 'as portLevelMtls: {8080: {mode: STRICT}}');
  }
  return { meta: context.meta, selector, mode: modeOf(fields.mtls), portLevel };
}

function modeOf(field: Field): MtlsMode {
  return oneOf(fieldsOf(field, ['mode']).mode, MODES) ?? 'UNSET';
}
