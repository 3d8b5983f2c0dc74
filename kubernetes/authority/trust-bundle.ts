import { isJson, listAt, mapAt, textAt } from '../api/json.ts';
import type { ApiObject } from '../watch/object.ts';

/** Istio's name, which its agents mount, and ours; the key in them is the same. */
export const BUNDLE_NAMES = Object.freeze(['istio-ca-root-cert', 'gatehouse-ca-root-cert'] as const);
export type BundleName = (typeof BUNDLE_NAMES)[number];
export const BUNDLE_KEY = 'root-cert.pem';

/** Says that a ConfigMap is ours to write: another mesh's of the same name is left alone. */
const MARK = 'app.kubernetes.io/part-of';
const MARKED = 'gatehouse';

/** Namespaces of Kubernetes itself, which have no workloads of a mesh. */
const KUBERNETES: ReadonlySet<string> = new Set(['kube-system', 'kube-public', 'kube-node-lease']);

/** The ClusterRole of one revision. */
export interface Owner {
  readonly name: string;
  readonly uid: string;
}

/** What is kept of a ConfigMap: there are two for each namespace. */
export interface Bundle {
  readonly resourceVersion: string;
  /** The same text for all that have it. */
  readonly pem: string;
  readonly isOurs: boolean;
  readonly owners: readonly string[];
}

export type Write =
  | { readonly kind: 'create'; readonly namespace: string; readonly name: BundleName; readonly body: unknown }
  | { readonly kind: 'replace'; readonly namespace: string; readonly name: BundleName; readonly body: unknown };

export interface BundleWorld {
  /** Those that do not end. */
  readonly namespaces: Iterable<string>;
  /** The ConfigMap of this name in a namespace. */
  readonly configMap: (namespace: string, name: BundleName) => Bundle | undefined;
  readonly rootsPem: string;
  /** The installed revisions: what they own goes with the last of them, and with none before. */
  readonly owners: readonly Owner[];
}

export interface BundlePlan {
  readonly writes: readonly Write[];
  /** `namespace/name` of ConfigMaps that another mesh keeps. */
  readonly foreign: readonly string[];
}

/** What has to be written so that every namespace has the trust bundle of now. */
export function bundlePlan({ namespaces, configMap, rootsPem, owners }: BundleWorld): BundlePlan {
  const writes: Write[] = [];
  const foreign: string[] = [];
  for (const namespace of namespaces) {
    if (KUBERNETES.has(namespace)) continue;
    for (const name of BUNDLE_NAMES) {
      const there = configMap(namespace, name);
      if (there === undefined) writes.push({ kind: 'create', namespace, name, body: bundle(namespace, name, rootsPem, owners) });
      else if (!there.isOurs) {
        if (there.pem !== rootsPem) foreign.push(`${namespace}/${name}`);
      } else if (there.pem !== rootsPem || !owners.every(({ uid }) => there.owners.includes(uid))) {
        const body = bundle(namespace, name, rootsPem, owners, there.resourceVersion);
        writes.push({ kind: 'replace', namespace, name, body });
      }
    }
  }
  return { writes, foreign };
}

/** @param before a ConfigMap of which the text, where it is the same, is taken: a thousand namespaces have one bundle */
export function bundleOf({ json, resourceVersion }: ApiObject, before: string): Bundle {
  const pem = textAt(json, 'data', BUNDLE_KEY);
  return {
    resourceVersion,
    pem: pem === before ? before : pem,
    isOurs: textAt(mapAt(json, 'metadata', 'labels'), MARK) === MARKED,
    owners: listAt(json, 'metadata', 'ownerReferences').flatMap((one) => (isJson(one) ? textAt(one, 'uid') : [])),
  };
}

function bundle(
  namespace: string,
  name: BundleName,
  rootsPem: string,
  owners: readonly Owner[],
  resourceVersion?: string,
): unknown {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace,
      // The first is what Istio's own has.
      labels: { 'istio.io/config': 'true', [MARK]: MARKED },
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(owners.length > 0 && {
        ownerReferences: owners.map((owner) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', ...owner })),
      }),
    },
    data: { [BUNDLE_KEY]: rootsPem },
  };
}
