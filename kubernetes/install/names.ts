import { DEFAULT_REVISION, type InstallOptions } from './options.ts';

/**
 * What the objects of one revision are called. The default one has no suffix, so that it is found without knowing of revisions; all
 * share the namespace and the authority's Secret, so that workloads of both trust each other during an upgrade.
 */
export function instanceName({ revision }: Pick<InstallOptions, 'revision'>): string {
  return revision === DEFAULT_REVISION ? 'gatehouse' : `gatehouse-${revision}`;
}

/** Cluster-wide objects also tell the namespace, unless it is the usual one: two installations must not share a ClusterRole. */
export function clusterName(options: Pick<InstallOptions, 'revision' | 'namespace'>): string {
  const name = instanceName(options);
  return options.namespace === 'gatehouse-system' ? name : `${name}-${options.namespace}`;
}

/**
 * Of the objects of a tag. Webhook configurations are asked in the order of their names: a tag comes after the injector of the default revision, so that where both
 * get a pod (the tag `default` beside the revision `default`, on the way from one to the other) the tag has the last word.
 */
export function tagName({ tag, namespace }: { readonly tag: string; readonly namespace: string }): string {
  return `${clusterName({ revision: DEFAULT_REVISION, namespace })}-tag-${tag}`;
}

export type Labels = Readonly<Record<string, string>>;

/** Immutable in a Deployment and a Service once they are there: never add to it. */
export function selectorLabels(options: Pick<InstallOptions, 'revision'>): Labels {
  return { app: 'gatehouse', 'gatehouse.dev/revision': options.revision };
}

export function commonLabels(options: Pick<InstallOptions, 'revision'>): Labels {
  return {
    ...selectorLabels(options),
    'app.kubernetes.io/name': 'gatehouse',
    'app.kubernetes.io/instance': instanceName(options),
    'app.kubernetes.io/part-of': 'gatehouse',
  };
}

export const PORTS = Object.freeze({ grpc: 15012, webhooks: 15017, status: 15014, page: 15080 });
