import type { ServedKind } from '../../../kubernetes/objects/api-resources.ts';
import { isKind, VERSIONS } from '../../../mesh/admit/kinds.ts';
import { groupOfKind, writtenName } from '../kind-names.ts';
import { missingKind } from './missing-kind.ts';
import { type Session, withHint } from './session.ts';

export type Found = { readonly ok: true; readonly kind: ServedKind } | { readonly ok: false; readonly reason: string };

/** A kind by its name here, in the best version that the cluster serves. */
export async function servedKind({ resources }: Session, kind: string): Promise<Found> {
  const group = groupOfKind(kind);
  const versions = isKind(kind)
    ? VERSIONS[kind].filter((one) => (one.includes('/') ? one.startsWith(`${group}/`) : group === ''))
    : [];
  const found = await resources.first(versions, writtenName(kind));
  if (found !== undefined) return { ok: true, kind: found };
  const { reason, hint } = missingKind({ apiVersion: versions[0] ?? group, kind: writtenName(kind) });
  return { ok: false, reason: withHint(reason, hint) };
}
