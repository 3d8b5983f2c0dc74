import { type ApiObject } from '../watch/object.ts';
import { mapAt, textAt } from '../api/json.ts';

/** Istio's name, which its agents mount, and ours; the key in them is the same. */
export const BUNDLE_NAMES = Object.freeze(['istio-ca-root-cert', 'gatehouse-ca-root-cert'] as const);
export type BundleName = (typeof BUNDLE_NAMES)[number];
export const BUNDLE_KEY = 'root-cert.pem';

/** Says that a ConfigMap is ours to write: another mesh's of the same name is left alone. */
const MARK = 'app.kubernetes.io/part-of';
const MARKED = 'gatehouse';

/** Namespaces of Kubernetes itself, which have no workloads of a mesh. */
const KUBERNETES: ReadonlySet<string> = new Set(['kube-system', 'kube-public', 'kube-node-lease']);

export interface Owner {
  readonly name: string;
  readonly uid: string;
}

export type Write =
  | { readonly kind: 'create'; readonly namespace: string; readonly name: BundleName; readonly body: unknown }
  | { readonly kind: 'replace'; readonly namespace: string; readonly name: BundleName; readonly body: unknown };

export interface BundleWorld {
  readonly namespaces: Iterable<ApiObject>;
  /** The ConfigMap of this name in a namespace. */
  readonly configMap: (namespace: string, name: BundleName) => ApiObject | undefined;
  readonly rootsPem: string;
  /** The installation's ClusterRole: what it owns goes with it. */
  readonly owner: Owner | undefined;
}

export interface BundlePlan {
  readonly writes: readonly Write[];
  /** `namespace/name` of ConfigMaps that another mesh keeps. */
  readonly foreign: readonly string[];
}

/** What has to be written so that every namespace has the trust bundle of now. */
export function bundlePlan({ namespaces, configMap, rootsPem, owner }: BundleWorld): BundlePlan {
  const writes: Write[] = [];
  const foreign: string[] = [];
  for (const { name: namespace, json } of namespaces) {
    if (KUBERNETES.has(namespace) || textAt(json, 'status', 'phase') === 'Terminating') continue;
    for (const name of BUNDLE_NAMES) {
      const there = configMap(namespace, name);
      if (there === undefined) writes.push({ kind: 'create', namespace, name, body: bundle(namespace, name, rootsPem, owner) });
      else if (textAt(there.json, 'data', BUNDLE_KEY) === rootsPem) continue;
      else if (textAt(mapAt(there.json, 'metadata', 'labels'), MARK) !== MARKED) foreign.push(`${namespace}/${name}`);
      else {
        const body = bundle(namespace, name, rootsPem, owner, there.resourceVersion);
        writes.push({ kind: 'replace', namespace, name, body });
      }
    }
  }
  return { writes, foreign };
}

function bundle(
  namespace: string,
  name: BundleName,
  rootsPem: string,
  owner: Owner | undefined,
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
      ...(owner !== undefined && {
        ownerReferences: [{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', ...owner }],
      }),
    },
    data: { [BUNDLE_KEY]: rootsPem },
  };
}
