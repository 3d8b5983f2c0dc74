import type { TextMap } from './json.ts';
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
 * What the pod itself says; undefined: nothing. Of two words that differ the refusal counts. A label counts for more than an annotation, and hides it even with a
 * word that says nothing (`yes`, `on` and the like do: `true` and `false` are the words).
 */
function podChoice(labels: TextMap, annotations: TextMap): boolean | undefined {
  const said = [labels, annotations].map((map) => OPT.flatMap((key) => map[key] ?? [])).find((words) => words.length > 0) ?? [];
  return said.includes('false') ? false : said.includes('true') ? true : undefined;
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
  if (choice !== undefined) return choice ? YES : no('the pod opts out (sidecar.istio.io/inject or gatehouse.dev/inject)');
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
