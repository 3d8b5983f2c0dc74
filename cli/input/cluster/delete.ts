import { ChangeObjects } from '../../../kubernetes/objects/change-objects.ts';
import { explain } from '../../../kubernetes/objects/explain.ts';
import { listObjects } from '../../../kubernetes/objects/list-objects.ts';
import { textAt } from '../../../kubernetes/api/json.ts';
import type { ClusterWish } from '../../serve/cluster-options.ts';
import { foreignTo, refuse } from '../change.ts';
import { writtenName } from '../kind-names.ts';
import type { Manifest } from '../manifest.ts';
import type { DiagnosticsFormat } from '../options.ts';
import { hasErrors, printDiagnostics } from '../print-diagnostics.ts';
import type { ChangeClusterFlags } from './flags.ts';
import { readInput } from './input.ts';
import { missingKind } from './missing-kind.ts';
import { type DRY, type Output, report, type Row } from './report.ts';
import { servedKind } from './served-kind.ts';
import { type Session, surroundings, withSession } from './session.ts';
import { checkTogether } from './together.ts';

export interface DeleteClusterFlags extends ChangeClusterFlags {
  readonly filename?: readonly string[];
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly all?: boolean;
  readonly ignoreNotFound?: boolean;
  readonly wait: boolean;
  readonly diagnostics: DiagnosticsFormat;
  readonly output?: Output;
}

/** A kind and names; without names those of a label, or all. */
export interface Doomed {
  readonly kind: string;
  readonly names: readonly string[];
}

type Named = Pick<Manifest, 'key' | 'kind' | 'apiVersion' | 'namespace' | 'name'>;

const WAIT_MS = 60_000;

/** @param doomed undefined: what the files name */
export async function deleteInCluster(
  doomed: readonly Doomed[] | undefined,
  wish: ClusterWish,
  flags: DeleteClusterFlags,
): Promise<void> {
  await withSession('delete', wish, flags.namespace, async (session) => {
    const found: Named[] = [];
    for (const some of doomed === undefined
      ? [ofFiles(session, flags)]
      : await Promise.all(doomed.map((one) => ofNames(session, one, flags)))) {
      if (some === undefined) return;
      found.push(...some);
    }
    if (found.length === 0) {
      process.stderr.write('No resources found.\n');
      return;
    }
    await tellOfOthers(session, found, flags);
    await remove(session, found, flags);
  });
}

function ofFiles({ namespace }: Session, flags: DeleteClusterFlags): readonly Named[] | undefined {
  const { manifests, diagnostics } = readInput(flags.filename ?? [], namespace);
  printDiagnostics(diagnostics, flags.diagnostics);
  const reasons = hasErrors(diagnostics)
    ? ['the input cannot be read; nothing was deleted']
    : manifests.length === 0
      ? ['the input holds no object']
      : foreignTo(flags.namespace, manifests);
  if (reasons.length === 0) return manifests.toReversed();
  refuse('delete', reasons);
  return undefined;
}

async function ofNames(
  session: Session,
  { kind, names }: Doomed,
  flags: DeleteClusterFlags,
): Promise<readonly Named[] | undefined> {
  const served = await servedKind(session, kind);
  if (!served.ok) {
    refuse('delete', [served.reason]);
    return undefined;
  }
  const named = (namespace: string, name: string): Named => {
    const own = served.kind.namespaced ? namespace : '';
    return {
      key: `${kind} ${own === '' ? '' : `${own}/`}${name}`,
      kind,
      apiVersion: served.kind.apiVersion,
      namespace: own,
      name,
    };
  };
  if (names.length > 0) return names.map((name) => named(session.namespace, name));
  const listed = await listObjects(session.client, served.kind, {
    namespace: flags.allNamespaces === true ? '' : session.namespace,
    labelSelector: flags.selector,
  });
  return listed.map((one) => named(textAt(one, 'metadata', 'namespace'), textAt(one, 'metadata', 'name')));
}

/** Whoever loses what it refers to is named before it happens; it is no reason to refuse. */
async function tellOfOthers(session: Session, doomed: readonly Named[], flags: DeleteClusterFlags): Promise<void> {
  if (!flags.together) return;
  const around = await surroundings(
    session,
    doomed.map((one) => ({ ...one, value: {} })),
    flags,
  );
  if (around === undefined) return;
  const { elsewhere } = checkTogether(around.existing.objects, {
    meshConfig: around.meshConfig,
    namespace: session.namespace,
    now: new Date(),
    input: [],
    removed: new Set(doomed.map(({ key }) => key)),
  });
  printDiagnostics(
    elsewhere.map((found) => (found.severity === 'error' ? { ...found, severity: 'warning' } : found)),
    flags.diagnostics,
  );
}

async function remove(session: Session, doomed: readonly Named[], flags: DeleteClusterFlags): Promise<void> {
  const { dryRun = 'none', ignoreNotFound = false } = flags;
  const change = new ChangeObjects(session.client, {
    dryRun: dryRun !== 'none',
    force: false,
    onWarning: (text) => process.stderr.write(`Warning: ${text}\n`),
  });
  const rows: Row[] = [];
  let ended = false;
  for (const one of doomed) {
    if (ended) {
      rows.push({ manifest: one, outcome: 'not sent', reason: 'not sent' });
      continue;
    }
    let resource = one.kind.toLowerCase();
    try {
      const kind = await session.resources.find(one.apiVersion, writtenName(one.kind));
      if (kind === undefined) {
        if (!ignoreNotFound) rows.push({ manifest: one, outcome: 'failed', ...missingKind(one) });
        continue;
      }
      resource = kind.plural;
      const target = { name: one.name, namespace: kind.namespaced ? one.namespace : '' };
      if (dryRun === 'client' || ignoreNotFound) {
        const live = await change.get(kind, target);
        if (live === undefined && ignoreNotFound) continue;
        if (dryRun === 'client') {
          rows.push({
            manifest: { ...one, ...target },
            ...(live === undefined ? { outcome: 'failed', reason: 'not found' } : { outcome: 'deleted', object: live }),
          });
          continue;
        }
      }
      const { outcome, object } = await change.delete(kind, target, flags.wait ? WAIT_MS : 0);
      rows.push({ manifest: { ...one, ...target }, outcome, object });
    } catch (error) {
      const { server, name: context } = session.client.access;
      const found = explain(error, { server, context, verb: 'delete', resource, namespace: one.namespace });
      if (found === undefined) throw error;
      rows.push({ manifest: one, outcome: 'failed', reason: found.reason, hint: found.hint });
      ended = found.ends;
    }
  }
  report('delete', rows, flags.output, dryRun satisfies keyof typeof DRY);
}
