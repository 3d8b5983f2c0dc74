import { objectAt, type TextMap } from './json.ts';
import { annotationsOf, labelsOf, type PodTemplate } from './pod.ts';
import type { InjectionSettings, LabelSelector } from './settings.ts';

export type Decision = { readonly inject: true } | { readonly inject: false; readonly reason: string };

const YES: Decision = Object.freeze({ inject: true });

function no(reason: string): Decision {
  return { inject: false, reason };
}

/** Where nothing is ever injected: the cluster's own parts must not depend on the mesh. */
const SYSTEM_NAMESPACES: readonly string[] = Object.freeze([
  'kube-system',
  'kube-public',
  'kube-node-lease',
  'local-path-storage',
]);

const OPT: readonly string[] = Object.freeze(['gatehouse.dev/inject', 'sidecar.istio.io/inject']);
/**
 * What the pod itself says; undefined: nothing. A label counts for more than an annotation, and hides it even with a word that says nothing (`yes`, `on`
 * and the like do: `true` and `false` are the words).
 */
export function podChoice(labels: TextMap, annotations: TextMap): boolean | undefined {
  const value = first(labels, OPT) ?? first(annotations, OPT);
  return value === 'true' ? true : value === 'false' ? false : undefined;
}

/** Whether a pod gets a proxy: host network and system namespaces never, then the pod's own word, then selectors, then the policy. */
export function decide(
  pod: PodTemplate,
  namespace: string,
  settings: Pick<InjectionSettings, 'policy' | 'neverInject' | 'alwaysInject'>,
): Decision {
  if (pod.spec['hostNetwork'] === true)
    return no('the pod is in the network of its node (hostNetwork), whose traffic must not be captured');
  if (SYSTEM_NAMESPACES.includes(namespace)) return no(`${namespace} is a namespace of the cluster's own`);
  const labels = labelsOf(pod);
  const choice = podChoice(labels, annotationsOf(pod));
  if (choice !== undefined) return choice ? YES : no('the pod opts out (sidecar.istio.io/inject)');
  if (settings.neverInject.some((selector) => matches(selector, labels))) return no('a neverInjectSelector matches the pod');
  if (settings.alwaysInject.some((selector) => matches(selector, labels))) return YES;
  return settings.policy === 'enabled' ? YES : no('injection is opt-in here, and the pod does not ask for it');
}

/** Whether a selector matches; one without any condition matches nothing, so that an empty line does not take everything. */
function matches({ matchLabels, matchExpressions }: LabelSelector, labels: TextMap): boolean {
  if (Object.keys(matchLabels).length === 0 && matchExpressions.length === 0) return false;
  if (!Object.entries(matchLabels).every(([key, value]) => labels[key] === value)) return false;
  return matchExpressions.every(({ key, operator, values }) => {
    const value = labels[key];
    switch (operator) {
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      default:
        return operator satisfies never;
    }
  });
}

const REVISION: readonly string[] = Object.freeze(['gatehouse.dev/rev', 'istio.io/rev']);
const INJECTION: readonly string[] = Object.freeze(['gatehouse.dev/injection', 'istio-injection']);

function first(map: TextMap, keys: readonly string[]): string | undefined {
  return keys.map((key) => map[key]).find((value) => value !== undefined);
}

/** The revisions (with tags) that this control plane answers for. */
export interface Revisions {
  readonly own: readonly string[];
  /** Whether it answers where no revision is named. */
  readonly isDefault: boolean;
}

/**
 * Whether the labels of a namespace (and, where it says nothing, of the pod) send the pod to this control plane. As Istio's webhooks
 * select: `istio-injection` counts for more than a revision, the namespace for more than the pod.
 */
export function selected(namespaceLabels: TextMap, pod: PodTemplate, revisions: Revisions): Decision {
  const injection = first(namespaceLabels, INJECTION);
  const revision = first(namespaceLabels, REVISION);
  if (injection === 'disabled') return no('the namespace is labelled istio-injection=disabled');
  if (injection === 'enabled') return revisions.isDefault ? YES : no('the namespace belongs to the default revision');
  if (revision !== undefined) return revisions.own.includes(revision) ? YES : no(`the namespace belongs to revision ${revision}`);
  const labels = labelsOf(pod);
  const own = first(labels, REVISION);
  if (own !== undefined) return revisions.own.includes(own) ? YES : no(`the pod belongs to revision ${own}`);
  if (podChoice(labels, {}) === true) return revisions.isDefault ? YES : no('the pod belongs to the default revision');
  return no('neither the namespace (istio-injection=enabled, istio.io/rev) nor the pod asks for a proxy');
}

/** The labels of a Namespace object. */
export function namespaceLabels(namespace: { readonly metadata?: unknown }): TextMap {
  const metadata = typeof namespace.metadata === 'object' && namespace.metadata !== null ? namespace.metadata : {};
  return Object.fromEntries(
    Object.entries(objectAt({ ...metadata }, 'labels')).flatMap(([key, value]) =>
      typeof value === 'string' ? [[key, value]] : [],
    ),
  );
}
