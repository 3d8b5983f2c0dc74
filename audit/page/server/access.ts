import { withoutScheme } from '../../../ca/identity/spiffe-id.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import { mayCallWorkload } from '../../../policy/access/may-call.ts';
import { evaluate } from '../../../policy/evaluate/evaluate.ts';
import { policiesFor } from '../../../policy/select.ts';
import type { Access, AccessEdge, CallerAccess, NotGranted } from '../api/details.ts';
import type { Span } from '../api/graph.ts';
import { requestOf } from './explain.ts';
import type { ObservedLine } from './observed.ts';
import { maySee, type Viewer } from './viewer.ts';

const MOST_EDGES = 5_000;
const MOST_CALLERS = 200;

function idOf({ namespace, name }: Workload): string {
  return `workload:${namespace}/${name}`;
}

function identityOf(snapshot: Snapshot, { namespace, serviceAccount }: Workload): string {
  return `${snapshot.meshConfig.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** An ALLOW policy decides who may call it, so that not everybody may. */
function isGoverned(snapshot: Snapshot, workload: Workload): boolean {
  return policiesFor(snapshot, workload).some(({ action, dryRun }) => action === 'ALLOW' && !dryRun);
}

/** Lets others of this process work between pieces of a long computation. */
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const BREATH_MS = 20;

/**
 * What may be called against what was. Grants are those of ALLOW rules that name the caller, whatever else they ask for; what is
 * called is held against the policies by asking about each kind of call.
 */
export async function accessOf(
  lines: readonly ObservedLine[],
  snapshot: Snapshot,
  viewer: Viewer,
  period: Span,
): Promise<Access> {
  const used = new Set(
    lines.filter(({ key }) => key.decision === 'ALLOW').map(({ ends }) => `${ends.source.id} ${ends.target.id}`),
  );
  const accounts = new Map<string, Workload[]>();
  for (const workload of snapshot.workloads) {
    const identity = identityOf(snapshot, workload);
    accounts.set(identity, [...(accounts.get(identity) ?? []), workload]);
  }
  const open: string[] = [];
  const unused: AccessEdge[] = [];
  let omitted = 0;
  let since = performance.now();
  for (const target of snapshot.workloads) {
    if (!maySee(viewer, target.namespace)) continue;
    if (!isGoverned(snapshot, target)) {
      open.push(idOf(target));
      continue;
    }
    for (const [identity, callers] of accounts) {
      if (!mayCallWorkload(snapshot, identity, target)) continue;
      for (const caller of callers) {
        if (caller === target || used.has(`${idOf(caller)} ${idOf(target)}`)) continue;
        if (unused.length < MOST_EDGES) unused.push({ source: idOf(caller), target: idOf(target) });
        else omitted++;
      }
    }
    if (performance.now() - since < BREATH_MS) continue;
    await breath();
    since = performance.now();
  }
  return { period, snapshot: snapshot.number, unused, notGranted: await notGranted(lines, snapshot, viewer), open, omitted };
}

/** Let through in the period, and refused if it came now. */
async function notGranted(lines: readonly ObservedLine[], snapshot: Snapshot, viewer: Viewer): Promise<readonly NotGranted[]> {
  const found = new Map<string, NotGranted>();
  let since = performance.now();
  for (const { key, tally, ends } of lines) {
    if (key.decision === 'DENY' || key.verdict === 'unreached' || !maySee(viewer, ends.target.namespace)) continue;
    const request = requestOf(key, snapshot);
    const verdict = request && evaluate(snapshot, request);
    if (verdict?.decision === 'DENY') {
      const id = `${ends.source.id} ${ends.target.id}`;
      const known = found.get(id);
      if (known !== undefined || found.size < MOST_EDGES)
        found.set(id, {
          source: ends.source.id,
          target: ends.target.id,
          calls: (known?.calls ?? 0) + tally.count,
          reason: known?.reason ?? verdict.reason,
        });
    }
    if (performance.now() - since < BREATH_MS) continue;
    await breath();
    since = performance.now();
  }
  return [...found.values()];
}

/** Who may call one workload, and who did; those that did first. */
export function callersOf(lines: readonly ObservedLine[], snapshot: Snapshot, target: Workload): readonly CallerAccess[] {
  const governed = isGoverned(snapshot, target);
  const callers = new Map<string, { calls: number; denied: number }>();
  for (const { key, tally, ends } of lines) {
    if (ends.target.id !== idOf(target)) continue;
    const caller = key.sourcePrincipal || 'plain text (no identity)';
    const known = callers.get(caller) ?? { calls: 0, denied: 0 };
    callers.set(caller, {
      calls: known.calls + tally.count,
      denied: known.denied + (key.decision === 'DENY' ? tally.count : 0),
    });
  }
  const may = (caller: string): CallerAccess['may'] => {
    if (!governed) return 'open';
    if (!caller.startsWith('spiffe://')) return 'no';
    return mayCallWorkload(snapshot, withoutScheme(caller), target) ? 'yes' : 'no';
  };
  if (governed)
    for (const workload of snapshot.workloads) {
      const identity = identityOf(snapshot, workload);
      if (!callers.has(`spiffe://${identity}`) && mayCallWorkload(snapshot, identity, target))
        callers.set(`spiffe://${identity}`, { calls: 0, denied: 0 });
    }
  return [...callers]
    .map(([caller, counts]) => ({ caller, may: may(caller), ...counts }))
    .sort((a, b) => b.calls - a.calls || (a.caller < b.caller ? -1 : 1))
    .slice(0, MOST_CALLERS);
}
