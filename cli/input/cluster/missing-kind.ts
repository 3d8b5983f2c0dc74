import { VERSIONS, isKind } from '../../../mesh/admit/kinds.ts';

const OWN_DEFINITIONS = /(^|\.)istio\.io$|^gatehouse\.dev$|^gateway\.networking\.k8s\.io$/;

/** Why there is no such kind in a cluster, and what to do. */
export function missingKind({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): {
  readonly reason: string;
  readonly hint: string;
} {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  const reason = `the cluster has no kind ${kind} in ${apiVersion}`;
  if (OWN_DEFINITIONS.test(group))
    return { reason, hint: 'install its definition: gatehouse install | kubectl apply --server-side -f -' };
  const [today] = isKind(kind) ? VERSIONS[kind] : [];
  if (today !== undefined && today !== apiVersion) return { reason, hint: `write apiVersion: ${today}` };
  return { reason, hint: 'see kubectl api-resources; a definition (CRD) of it may have to be installed first' };
}
