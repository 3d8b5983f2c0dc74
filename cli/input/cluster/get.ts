import { explain } from '../../../kubernetes/objects/explain.ts';
import { listObjects } from '../../../kubernetes/objects/list-objects.ts';
import { ChangeObjects } from '../../../kubernetes/objects/change-objects.ts';
import { type Json, mapAt, textAt } from '../../../kubernetes/api/json.ts';
import type { ServedKind } from '../../../kubernetes/objects/api-resources.ts';
import type { ClusterWish } from '../../serve/cluster-options.ts';
import { refuse } from '../change.ts';
import type { Manifest } from '../manifest.ts';
import { printObjects, type PrintFlags } from '../print-objects.ts';
import type { ClusterFlags } from './flags.ts';
import { servedKind } from './served-kind.ts';
import { type Session, withHint, withSession } from './session.ts';

export interface GetClusterFlags extends ClusterFlags, PrintFlags {
  readonly namespace?: string;
  readonly selector?: string;
  readonly showManagedFields?: boolean;
}

/** One kind that is asked for, and of which names. */
export interface Asking {
  readonly kind: string;
  readonly names: readonly string[];
}

/** Lists objects of a cluster. A kind that cannot be listed leaves the others. */
export async function getFromCluster(
  asked: readonly Asking[],
  all: boolean,
  wish: ClusterWish,
  flags: GetClusterFlags,
): Promise<void> {
  await withSession('get', wish, flags.namespace, async (session) => {
    const found: Manifest[] = [];
    const reasons: string[] = [];
    for (const { kind, names } of asked) {
      const served = await servedKind(session, kind);
      if (!served.ok) {
        // Of `all` only what the cluster has is meant.
        if (!all) reasons.push(served.reason);
        continue;
      }
      const { server, name: context } = session.client.access;
      const resource = served.kind.plural;
      try {
        const objects = await read(session, served.kind, names, flags, reasons);
        found.push(...objects.map((object) => manifestOf(kind, served.kind, object, flags)));
      } catch (error) {
        const why = explain(error, { server, context, verb: 'get', resource, namespace: session.namespace });
        if (why === undefined || why.ends) throw error;
        reasons.push(withHint(why.reason, why.hint));
      }
    }
    const single = asked.length === 1 && asked[0]?.names.length === 1;
    printObjects(found, single, flags, new Date(), true);
    if (reasons.length > 0) return refuse('get', reasons);
    if (found.length === 0)
      process.stderr.write(
        flags.allNamespaces === true ? 'No resources found.\n' : `No resources found in ${session.namespace} namespace.\n`,
      );
  });
}

async function read(
  { client, namespace }: Session,
  kind: ServedKind,
  names: readonly string[],
  flags: GetClusterFlags,
  reasons: string[],
): Promise<readonly Json[]> {
  if (names.length === 0)
    return listObjects(client, kind, {
      namespace: flags.allNamespaces === true ? '' : namespace,
      labelSelector: flags.selector,
    });
  const reader = new ChangeObjects(client, { dryRun: true, force: false, onWarning: () => undefined });
  const found: Json[] = [];
  for (const name of names) {
    const object = await reader.get(kind, { namespace: kind.namespaced ? namespace : '', name });
    if (object === undefined)
      reasons.push(`${kind.plural} "${name}" not found${kind.namespaced ? ` in namespace ${namespace}` : ''}`);
    else found.push(object);
  }
  return found;
}

function manifestOf(
  kind: string,
  { apiVersion }: ServedKind,
  object: Json,
  { showManagedFields = false }: GetClusterFlags,
): Manifest {
  const { managedFields: _, ...metadata } = mapAt(object, 'metadata');
  const [namespace, name] = [textAt(object, 'metadata', 'namespace'), textAt(object, 'metadata', 'name')];
  const value = showManagedFields ? object : { ...object, metadata };
  return { key: `${kind} ${namespace}/${name}`, kind, apiVersion, namespace, name, value };
}
