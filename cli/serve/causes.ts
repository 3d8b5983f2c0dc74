import type { Hostname } from '../../mesh/model/hostname.ts';
import { type Labels, type Meta, selects } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Workload } from '../../mesh/model/workload.ts';
import { SHORT_NAMES } from '../../xds/stream/short-names.ts';
import type { RejectedResource } from '../../xds/stream/status.ts';
import { objectName } from './published-snapshots.ts';

/** An object that a resource was made from. */
export interface Cause {
  readonly object: string;
  readonly file: string;
  readonly line: number;
  /** It changed after what the proxy has accepted, so it is most likely the one. */
  readonly changed: boolean;
}

const MOST = 5;

type Relevant = (snapshot: Snapshot, workload: Workload | undefined, name: string | undefined) => readonly Meta[];

const metas = (list: readonly { readonly meta: Meta }[]): readonly Meta[] => list.map(({ meta }) => meta);

function covers(pattern: Hostname, host: string): boolean {
  return pattern === host || pattern === '*' || (pattern.startsWith('*') && host.endsWith(pattern.slice(1)));
}

/** `outbound|PORT|SUBSET|HOST`, or `inbound|PORT||`. */
const ofCluster: Relevant = (snapshot, workload, name = '') => {
  const [direction, , , host = ''] = name.split('|');
  if (direction !== 'outbound')
    return [...(workload === undefined ? [] : [workload.meta]), ...selecting(snapshot.sidecars, workload)];
  return [
    ...metas(snapshot.destinationRules.filter((rule) => covers(rule.host, host))),
    ...metas(snapshot.services.filter(({ hostname }) => hostname === host)),
  ];
};

/** `ROUTES/HOST:PORT` of virtual hosts; of routes only `ROUTES`, which many hosts share. */
const ofRoutes: Relevant = (snapshot, _workload, name = '') => {
  const slash = name.lastIndexOf('/');
  const host = slash < 0 ? undefined : name.slice(slash + 1).replace(/:\d+$/, '');
  const concerned = (hosts: readonly Hostname[]): boolean => host === undefined || hosts.some((one) => covers(one, host));
  return [
    ...metas(snapshot.virtualServices.filter(({ hosts }) => concerned(hosts))),
    ...metas(snapshot.services.filter(({ hostname }) => host !== undefined && hostname === host)),
  ];
};

interface Selecting {
  readonly meta: Meta;
  readonly selector?: Labels;
  readonly workloadSelector?: Labels | undefined;
}

function selecting(list: readonly Selecting[], workload: Workload | undefined, rootNamespace?: string): readonly Meta[] {
  if (workload === undefined) return metas(list);
  return metas(
    list.filter(
      ({ meta, selector, workloadSelector }) =>
        (meta.namespace === workload.namespace || meta.namespace === rootNamespace) &&
        selects(selector ?? workloadSelector ?? {}, workload.labels),
    ),
  );
}

const ofPolicy: Relevant = (snapshot, workload) => {
  const root = snapshot.meshConfig.rootNamespace;
  return [
    ...selecting(snapshot.authorizationPolicies, workload, root),
    ...selecting(snapshot.requestAuthentications, workload, root),
    ...selecting(snapshot.rateLimits, workload, root),
  ];
};

const ofListener: Relevant = (snapshot, workload, name) => {
  const root = snapshot.meshConfig.rootNamespace;
  return [
    ...metas(snapshot.gateways.filter(({ selector }) => workload === undefined || selects(selector, workload.labels))),
    ...selecting(snapshot.sidecars, workload, root),
    ...selecting(snapshot.telemetries, workload, root),
    ...selecting(snapshot.peerAuthentications, workload, root),
    ...ofPolicy(snapshot, workload, name),
    ...metas(snapshot.virtualServices.filter(({ tcp, tls }) => tcp.length + tls.length > 0)),
    ...(workload === undefined ? [] : [workload.meta]),
  ];
};

const RELEVANT: Readonly<Record<string, Relevant>> = Object.freeze({
  CDS: ofCluster,
  EDS: ofCluster,
  RDS: ofRoutes,
  VHDS: ofRoutes,
  ECDS: ofPolicy,
  LDS: ofListener,
});

/**
 * The objects behind a resource that a proxy refused. Resources do not say what they were made from, so this goes by their names, and prefers what
 * changed since the proxy last accepted everything: that is nearly always the one.
 * @param changed names of objects; undefined when not known
 */
export function causesOf(
  snapshot: Snapshot,
  workload: Workload | undefined,
  { typeUrl, name }: RejectedResource,
  changed: ReadonlySet<string> | undefined,
): readonly Cause[] {
  const relevant = RELEVANT[SHORT_NAMES[typeUrl]]?.(snapshot, workload, name) ?? [];
  const all = relevant.map((meta) => ({ meta, object: objectName(meta) }));
  const likely = all.filter(({ object }) => changed?.has(object) === true);
  return (likely.length > 0 ? likely : all).slice(0, MOST).map(({ meta, object }) => ({
    object,
    file: meta.origin.file,
    line: meta.origin.line,
    changed: likely.length > 0,
  }));
}
