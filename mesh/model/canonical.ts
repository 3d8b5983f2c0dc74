import type { Labels } from './object.ts';

/** The labels that say what a workload is called among services that call each other, in the order in which they count (Istio's "canonical service"). */
const NAMES = Object.freeze(['service.istio.io/canonical-name', 'app.kubernetes.io/name', 'app']);
const REVISIONS = Object.freeze(['service.istio.io/canonical-revision', 'app.kubernetes.io/version', 'version']);

/** The first label that is there and not empty. */
export function firstLabel(labels: Labels, names: readonly string[], otherwise: string): string {
  return names.map((name) => labels[name]).find((value) => value !== undefined && value !== '') ?? otherwise;
}

export function canonicalService(labels: Labels, workload: string): string {
  return firstLabel(labels, NAMES, workload);
}

export function canonicalRevision(labels: Labels): string {
  return firstLabel(labels, REVISIONS, 'latest');
}
