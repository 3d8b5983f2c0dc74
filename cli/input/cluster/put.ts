import { setTimeout as wait } from 'node:timers/promises';
import type { ServedKind } from '../../../kubernetes/objects/api-resources.ts';
import { type Changed, ChangeObjects } from '../../../kubernetes/objects/change-objects.ts';
import { explain } from '../../../kubernetes/objects/explain.ts';
import type { Diagnostic } from '../../../mesh/model/diagnostic.ts';
import { sorted } from '../../../mesh/source/mesh.ts';
import type { ClusterWish } from '../../serve/cluster-options.ts';
import { foreignTo, refuse } from '../change.ts';
import { isRecord, type Manifest } from '../manifest.ts';
import { hasErrors, printDiagnostics } from '../print-diagnostics.ts';
import type { DiagnosticsFormat } from '../options.ts';
import type { ChangeClusterFlags } from './flags.ts';
import { readInput } from './input.ts';
import { missingKind } from './missing-kind.ts';
import { type Output, report, type Row } from './report.ts';
import { type Session, surroundings, withSession } from './session.ts';
import { checkTogether } from './together.ts';

export interface PutClusterFlags extends ChangeClusterFlags {
  readonly filename?: readonly string[];
  readonly namespace?: string;
  readonly diagnostics: DiagnosticsFormat;
  readonly output?: Output;
}

export type PutVerb = 'apply' | 'create' | 'replace';

/** Until a definition of the same input is served. */
const DEFINED_MS = 15_000;
const DEFINED_LOOK_MS = 200;

/** Checks the input among what the cluster has, then sends it object by object. */
export async function putInCluster(verb: PutVerb, wish: ClusterWish, flags: PutClusterFlags): Promise<void> {
  await withSession(verb, wish, flags.namespace, async (session) => {
    const input = readInput(flags.filename ?? [], session.namespace);
    const reasons = hasErrors(input.diagnostics)
      ? ['the input is wrong; nothing was sent']
      : input.manifests.length === 0
        ? ['the input holds no object']
        : foreignTo(flags.namespace, input.manifests);
    if (reasons.length > 0) {
      printDiagnostics(input.diagnostics, flags.diagnostics);
      return refuse(verb, reasons);
    }
    const around = await surroundings(session, input.manifests, flags);
    if (around === undefined) return refuse(verb, ['the mesh configuration is wrong; nothing was sent']);
    const { existing, meshConfig } = around;
    const { alone, among, elsewhere } = checkTogether(existing.objects, {
      meshConfig,
      namespace: session.namespace,
      now: new Date(),
      input: input.documents,
    });
    const told = sorted([...alone, ...(flags.together ? [...among, ...elsewhere].map(asWarning) : [])]);
    printDiagnostics([...input.diagnostics, ...told], flags.diagnostics);
    if (existing.hidden.length > 0)
      process.stderr.write(
        `gatehouse ${verb}: not everything that the input may refer to was seen: you may not list ${existing.hidden.join(', ')} of all namespaces\n`,
      );
    if (hasErrors(told)) return refuse(verb, ['the input is wrong; nothing was sent']);
    return send(verb, session, input.manifests, flags, new Set(told.map(webhookLine)));
  });
}

/** What an object refers to may come with the next command: only what is wrong by itself is refused. */
function asWarning(found: Diagnostic): Diagnostic {
  return found.severity === 'error' ? { ...found, severity: 'warning' } : found;
}

/** As our own webhook says it: nobody needs to read it twice. */
function webhookLine({ field, message, hint }: Diagnostic): string {
  return `${field === undefined || field === '' ? '' : `${field}: `}${message}${hint === undefined ? '' : ` (${hint})`}`;
}

async function send(
  verb: PutVerb,
  session: Session,
  manifests: readonly Manifest[],
  flags: PutClusterFlags,
  known: ReadonlySet<string>,
): Promise<void> {
  const { dryRun = 'none', forceConflicts = false } = flags;
  const change = new ChangeObjects(session.client, {
    dryRun: dryRun === 'server',
    force: forceConflicts,
    onWarning: (text) => {
      if (!known.has(text)) process.stderr.write(`Warning: ${text}\n`);
    },
  });
  const defined = new Set(manifests.filter(({ kind }) => kind === 'CustomResourceDefinition').map(groupDefined));
  const rows: Row[] = [];
  let ended = false;
  for (const manifest of manifests) {
    if (ended) {
      rows.push({ manifest, outcome: 'not sent', reason: 'not sent' });
      continue;
    }
    let resource = manifest.kind.toLowerCase();
    try {
      const patience = dryRun === 'none' && defined.has(groupOf(manifest.apiVersion)) ? DEFINED_MS : 0;
      const kind = await findKind(session, manifest, patience);
      if (kind === undefined) {
        rows.push({ manifest, outcome: 'failed', ...missingKind(manifest) });
        continue;
      }
      resource = resourceName(kind);
      const placed = kind.namespaced ? manifest : { ...manifest, namespace: '' };
      const { outcome, object } =
        dryRun === 'client' ? await pretended(verb, change, kind, placed) : await change[verb](kind, placed, manifest.value);
      rows.push({ manifest: placed, outcome, object });
    } catch (error) {
      const { server, name: context } = session.client.access;
      const found = explain(error, { server, context, verb, resource, namespace: manifest.namespace });
      if (found === undefined) throw error;
      rows.push({ manifest, outcome: 'failed', reason: found.reason, hint: found.hint });
      ended = found.ends;
    }
  }
  report(verb, rows, flags.output, dryRun);
}

async function findKind(
  { resources }: Session,
  { apiVersion, value }: Manifest,
  patienceMs: number,
): Promise<ServedKind | undefined> {
  const kind = typeof value['kind'] === 'string' ? value['kind'] : '';
  for (const end = Date.now() + patienceMs; ; await wait(DEFINED_LOOK_MS)) {
    const found = await resources.find(apiVersion, kind);
    if (found !== undefined || Date.now() >= end) return found;
    resources.forget(apiVersion);
  }
}

/** What would become of it as far as this machine can tell. */
async function pretended(verb: PutVerb, change: ChangeObjects, kind: ServedKind, placed: Manifest): Promise<Changed> {
  const live = await change.get(kind, placed);
  const outcome = verb === 'replace' ? 'replaced' : live === undefined ? 'created' : 'configured';
  return { outcome, object: placed.value };
}

function resourceName({ apiVersion, plural }: ServedKind): string {
  const group = groupOf(apiVersion);
  return group === '' ? plural : `${plural}.${group}`;
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

function groupDefined({ value }: Manifest): string {
  const spec = isRecord(value['spec']) ? value['spec'] : {};
  return typeof spec['group'] === 'string' ? spec['group'] : '';
}
