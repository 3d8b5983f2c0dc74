import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import type { Parsed } from '../../ca/identity/parsed.ts';
import { keyOf } from '../../mesh/model/object.ts';
import { type Port, parsePort } from '../../mesh/model/port.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Destination } from '../../policy/access/world.ts';
import { destinationsIn } from './destinations.ts';

export const PLAIN_TEXT = 'plaintext';

function listed(names: readonly string[], what: string): string {
  if (names.length === 0) return `there are no ${what} in the input`;
  return `there are ${names.slice(0, 20).join(', ')}${names.length > 20 ? `, … (${names.length})` : ''}`;
}

/**
 * Who calls, as people write it: a SPIFFE ID with or without its scheme, the workload `NAMESPACE/NAME` for the service
 * account that it runs as, or `plaintext` for nobody.
 * @returns the SPIFFE ID without its scheme; undefined: plain text
 */
export function callerFrom(snapshot: Snapshot, written: string): Parsed<string | undefined> {
  if (written === PLAIN_TEXT) return { ok: true, value: undefined };
  const id = withoutScheme(written);
  if (id.split('/').length > 2 || id !== written) {
    return /^[a-z0-9._-]+(\/[A-Za-z0-9._-]+)+$/.test(id)
      ? { ok: true, value: id }
      : { ok: false, reason: `"${written}" is no SPIFFE ID; write TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT, or NAMESPACE/WORKLOAD` };
  }
  const workload = snapshot.workloads.find((one) => keyOf(one) === id);
  if (workload === undefined) {
    return {
      ok: false,
      reason: `no workload "${written}" (${listed(snapshot.workloads.map(keyOf), 'workloads')}); or write TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT, or ${PLAIN_TEXT}`,
    };
  }
  return { ok: true, value: `${snapshot.meshConfig.trustDomain}/ns/${workload.namespace}/sa/${workload.serviceAccount}` };
}

export interface Addressed {
  readonly destination: Destination;
  /** Undefined where none was written. */
  readonly port: Port | undefined;
}

/** Where calls go: `NAMESPACE/WORKLOAD`, perhaps with `:PORT`, the workload's own. */
export function destinationFrom(snapshot: Snapshot, written: string): Parsed<Addressed> {
  const colon = written.lastIndexOf(':');
  const name = colon < 0 ? written : written.slice(0, colon);
  const port =
    colon < 0 ? undefined : parsePort(/^\d{1,5}$/.test(written.slice(colon + 1)) ? Number(written.slice(colon + 1)) : 0);
  if (colon >= 0 && port === undefined)
    return { ok: false, reason: `"${written.slice(colon + 1)}" is no port; write NAMESPACE/WORKLOAD:PORT with 1 to 65535` };
  const all = destinationsIn(snapshot);
  const destination = all.find((one) => one.name === name);
  if (destination !== undefined) return { ok: true, value: { destination, port } };
  return {
    ok: false,
    reason: `no workload "${name}" (${listed(
      all.map((one) => one.name),
      'workloads',
    )})`,
  };
}
