import type { EdgeKey } from '../model/edge.ts';

/** Absent is the empty text in keys, and null in JSON. */
export const orNull = (text: string): string | null => (text === '' ? null : text);

type Called = Pick<EdgeKey, 'destinationPrincipal' | 'destinationWorkload' | 'service' | 'port' | 'protocol' | 'method' | 'path'>;

/** What was called, in the stable JSON shape that edges and changes of edges share (docs/audit/reports.md). */
export function jsonCalled(key: Called): Readonly<Record<string, unknown>> {
  return {
    destination: {
      principal: orNull(key.destinationPrincipal),
      workload: orNull(key.destinationWorkload),
      service: orNull(key.service),
    },
    port: key.port === 0 ? null : key.port,
    protocol: key.protocol,
    method: orNull(key.method),
    path: orNull(key.path),
  };
}
