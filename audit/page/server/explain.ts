import { parsePort } from '../../../mesh/model/port.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import { explain } from '../../../policy/evaluate/explain.ts';
import type { Request } from '../../../policy/evaluate/request.ts';
import type { EdgeKey } from '../../model/edge.ts';
import type { NowDecision } from '../api/details.ts';

const byName = new WeakMap<Snapshot, ReadonlyMap<string, Workload>>();

/** By `NAMESPACE/NAME`. */
export function workloadNamed(snapshot: Snapshot, name: string): Workload | undefined {
  const known = byName.get(snapshot) ?? new Map(snapshot.workloads.map((one) => [`${one.namespace}/${one.name}`, one]));
  byName.set(snapshot, known);
  return known.get(name);
}

/** A template stands for many paths; policies are asked about one of them. */
function examplePath(template: string): string {
  return template.replace(/\{[a-z]+\}/g, '1');
}

/** The call as a question to the policies; undefined where its destination is not configured. */
export function requestOf(key: EdgeKey, snapshot: Snapshot): Request | undefined {
  const workload = workloadNamed(snapshot, key.destinationWorkload);
  if (workload === undefined) return undefined;
  const tcp = key.protocol === 'TCP';
  const port = parsePort(key.port);
  return {
    source: {
      principal: key.mtls && key.sourcePrincipal !== '' ? key.sourcePrincipal : undefined,
      ip: key.sourceAddress || undefined,
      remoteIp: key.sourceAddress || undefined,
    },
    destination: {
      namespace: workload.namespace,
      labels: workload.labels,
      ip: undefined,
      port,
      protocol: tcp ? 'TCP' : key.protocol === 'GRPC' ? 'GRPC' : 'HTTP',
      sni: undefined,
    },
    http: {
      method: tcp ? undefined : key.method,
      host: key.service || undefined,
      path: tcp ? undefined : examplePath(key.path),
      headers: new Map(),
    },
    token: undefined,
  };
}

/** What the policies of this snapshot say of such a call, and why. */
export function decisionNow(key: EdgeKey, snapshot: Snapshot): NowDecision | undefined {
  const request = requestOf(key, snapshot);
  if (request === undefined) return undefined;
  const { verdict, mtls, policies } = explain(snapshot, request);
  const { method, path } = request.http;
  return {
    decision: verdict.decision,
    reason: verdict.reason,
    example: method === undefined ? `TCP port ${key.port}` : `${method} ${path ?? ''}`,
    mtls: { mode: mtls.mode, setBy: mtls.setBy ?? null },
    policies: policies.map(({ policy, action, dryRun, decided, rules }) => ({
      policy,
      action,
      dryRun,
      decided,
      rules: rules.map(({ rule, matched, failed }) => ({ rule, matched, why: failed?.why ?? null })),
    })),
  };
}
