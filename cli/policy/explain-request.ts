import type { Parsed } from '../../ca/identity/parsed.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Request } from '../../policy/evaluate/request.ts';
import type { NamedRequest } from '../../policy/evaluate/read-requests.ts';
import { callerFrom, destinationFrom } from './address.ts';
import { requestsIn } from './requests-file.ts';

export interface RequestFlags {
  readonly from?: string;
  readonly plaintext?: boolean;
  readonly to?: string;
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly header?: readonly string[];
  readonly ip?: string;
  readonly tcp?: boolean;
  readonly requests?: string;
  readonly name?: string;
}

function headersOf(written: readonly string[]): Parsed<ReadonlyMap<string, readonly string[]>> {
  const headers = new Map<string, readonly string[]>();
  for (const one of written) {
    const at = one.search(/[=:]/);
    if (at < 1) return { ok: false, reason: `--header ${one}: write it as name=value` };
    const name = one.slice(0, at).trim().toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), one.slice(at + 1).trim()]);
  }
  return { ok: true, value: headers };
}

/** The one request that the flags spell out. */
function fromFlags(snapshot: Snapshot, flags: RequestFlags): Parsed<readonly NamedRequest[]> {
  if (flags.to === undefined)
    return { ok: false, reason: 'name the workload called: --to NAMESPACE/WORKLOAD[:PORT], or --requests FILE' };
  if (flags.from === undefined && flags.plaintext !== true)
    return {
      ok: false,
      reason: 'name the caller: --from PRINCIPAL or NAMESPACE/WORKLOAD, or --plaintext for one without an identity',
    };
  if (flags.from !== undefined && flags.plaintext === true)
    return { ok: false, reason: '--from and --plaintext contradict each other' };
  const caller = flags.from === undefined ? undefined : callerFrom(snapshot, flags.from);
  if (caller?.ok === false) return { ok: false, reason: `--from: ${caller.reason}` };
  const to = destinationFrom(snapshot, flags.to);
  if (!to.ok) return { ok: false, reason: `--to: ${to.reason}` };
  const headers = headersOf(flags.header ?? []);
  if (!headers.ok) return headers;
  const { destination } = to.value;
  const [only, ...others] = destination.ports;
  const port = to.value.port ?? (others.every((one) => one.port === only?.port) ? only?.port : undefined);
  if (to.value.port === undefined && port === undefined && others.length > 0) {
    const ports = [...new Set(destination.ports.map((one) => one.port))].join(', ');
    return { ok: false, reason: `--to: ${destination.name} has the ports ${ports}; write ${destination.name}:PORT` };
  }
  const spoken = destination.ports.filter((one) => one.port === port).map(({ protocol }) => protocol);
  const tcp = flags.tcp === true || (spoken.length > 0 && !spoken.includes('HTTP'));
  const id = caller?.value;
  const request: Request = {
    source: { principal: id === undefined ? undefined : `spiffe://${id}`, ip: flags.ip, remoteIp: undefined },
    destination: {
      namespace: destination.namespace,
      labels: destination.labels,
      ip: undefined,
      port,
      protocol: tcp ? 'TCP' : 'HTTP',
      sni: undefined,
    },
    http: tcp
      ? { method: undefined, host: undefined, path: undefined, headers: new Map() }
      : {
          method: flags.method ?? 'GET',
          host: flags.host ?? destination.hosts[0],
          path: flags.path ?? '/',
          headers: headers.value,
        },
    token: undefined,
  };
  return { ok: true, value: [{ name: '', request }] };
}

/** The requests asked about: of a file, all or the one of that name, or the one that the flags spell out. */
export function requestsAsked(snapshot: Snapshot, flags: RequestFlags): Parsed<readonly NamedRequest[]> {
  if (flags.requests === undefined) return fromFlags(snapshot, flags);
  if (flags.from !== undefined || flags.to !== undefined || flags.plaintext === true)
    return { ok: false, reason: '--requests and --from, --to or --plaintext contradict each other' };
  const requests = requestsIn('explain', flags.requests);
  if (requests === undefined) return { ok: false, reason: 'nothing was explained' };
  const { name } = flags;
  const chosen = name === undefined ? requests : requests.filter((one) => one.name === name);
  if (chosen.length > 0) return { ok: true, value: chosen };
  return {
    ok: false,
    reason: `--name: no request in ${flags.requests} is named ${JSON.stringify(name)} (${requests.map((one) => one.name).join(', ')})`,
  };
}
