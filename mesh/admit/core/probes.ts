import type { Probe } from '../../model/probe.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';

/** The path that gRPC's health service has (grpc.health.v1). */
const GRPC_HEALTH = '/grpc.health.v1.Health/Check';

/** A probe is only looked at: one that is written wrong is Kubernetes' to refuse, and left out here. */
function scalarOf(field: Field): string | number | undefined {
  const { node } = field;
  return node?.kind === 'scalar' && (typeof node.value === 'string' || typeof node.value === 'number') ? node.value : undefined;
}

function isMap(field: Field): boolean {
  return field.node?.kind === 'map';
}

function headersOf(field: Field): Readonly<Record<string, string>> {
  if (field.node?.kind !== 'list') return {};
  const headers: Record<string, string> = {};
  for (const item of itemsOf(field)) {
    if (!isMap(item)) continue;
    const fields = fieldsOf(item, ['name', 'value'], 'tolerant');
    const name = scalarOf(fields.name);
    if (typeof name === 'string') headers[name.toLowerCase()] = String(scalarOf(fields.value) ?? '');
  }
  return headers;
}

function probeOf(field: Field, at: number, name: string): Probe | undefined {
  if (!isMap(field)) return undefined;
  const { httpGet, grpc } = fieldsOf(field, ['httpGet', 'grpc'], 'tolerant');
  const place = `containers[${at}].${name}`;
  if (isMap(httpGet)) {
    const fields = fieldsOf(httpGet, ['path', 'port', 'httpHeaders'], 'tolerant');
    const port = scalarOf(fields.port);
    if (port === undefined) return undefined;
    const path = String(scalarOf(fields.path) ?? '/');
    return {
      field: `${place}.httpGet`,
      port: typeof port === 'string' && /^\d+$/.test(port) ? Number(port) : port,
      path: path.startsWith('/') ? path : `/${path}`,
      method: 'GET',
      headers: headersOf(fields.httpHeaders),
    };
  }
  if (!isMap(grpc)) return undefined;
  const port = scalarOf(fieldsOf(grpc, ['port'], 'tolerant').port);
  return port === undefined ? undefined : { field: `${place}.grpc`, port, path: GRPC_HEALTH, method: 'POST', headers: {} };
}

/** The probes of one container that are calls over HTTP; those that open a connection or run a command meet no policy. */
export function probesOf(container: Field, at: number): readonly Probe[] {
  const fields = fieldsOf(container, ['livenessProbe', 'readinessProbe', 'startupProbe'], 'tolerant');
  return (['livenessProbe', 'readinessProbe', 'startupProbe'] as const).flatMap((name) => probeOf(fields[name], at, name) ?? []);
}
