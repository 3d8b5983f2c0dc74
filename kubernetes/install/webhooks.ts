import { ORDER_ANNOTATION } from '../rollout/order.ts';
import { clusterName, commonLabels, instanceName, type Labels } from './names.ts';
import { CONFIGURATION } from './access.ts';
import type { KubernetesObject } from './object.ts';
import { DEFAULT_REVISION, type InstallOptions } from './options.ts';
import { DEFAULT_SELECTIONS, judgedBy, JUDGED_BY_DEFAULT, type Requirement, selectionsOf } from './selections.ts';

/** Looks at orders to rollouts. */
export const ORDERS_WEBHOOK = 'orders.gatehouse.dev';

/** How the API server reaches a webhook at this path. */
export type CallPath = (path: '/inject' | '/validate') => unknown;

interface Named {
  /** Of the object. */
  readonly object: string;
  readonly labels: Labels;
  /** What namespaces, pods and configuration name: a revision, or a tag that stands for one. */
  readonly answersTo: string;
  /** Where the control plane runs, whose own pods are nobody's to inject. */
  readonly namespace: string;
  readonly call: CallPath;
}

/** By the Service. The bundle is filled in by the control plane, which rotates the certificate: what is applied again must not empty it. */
export function callService({ revision, namespace }: Pick<InstallOptions, 'revision' | 'namespace'>): CallPath {
  return (path) => ({ service: { name: instanceName({ revision }), namespace, path, port: 443 } });
}

export function injector(options: InstallOptions): KubernetesObject {
  const { revision, namespace } = options;
  const object = `${clusterName(options)}-injector`;
  return injectorNamed({ object, labels: commonLabels(options), answersTo: revision, namespace, call: callService(options) });
}

export function validator(options: InstallOptions): KubernetesObject {
  const { revision, namespace } = options;
  const object = `${clusterName(options)}-validator`;
  const call = callService(options);
  const made = validatorNamed({ object, labels: commonLabels(options), answersTo: revision, namespace, call });
  return { ...made, webhooks: [...made.webhooks, ordersWebhook(call)] };
}

/**
 * Who ordered a step of a rollout is kept for ever, so an order that nobody vouches for is not let in: every revision looks at each, whichever acts on it, and none
 * comes in while one does not answer. Whatever else is changed in a NamespaceRollout is not held up by that.
 */
function ordersWebhook(call: CallPath): unknown {
  const annotation = `'${ORDER_ANNOTATION}'`;
  const had = `oldObject != null && has(oldObject.metadata.annotations) && ${annotation} in oldObject.metadata.annotations`;
  const same = `oldObject.metadata.annotations[${annotation}] == object.metadata.annotations[${annotation}]`;
  return {
    name: ORDERS_WEBHOOK,
    clientConfig: call('/validate'),
    rules: [
      {
        operations: ['CREATE', 'UPDATE'],
        apiGroups: ['gatehouse.dev'],
        apiVersions: ['*'],
        resources: ['namespacerollouts'],
        scope: 'Namespaced',
      },
    ],
    matchConditions: [
      { name: 'has-order', expression: `has(object.metadata.annotations) && ${annotation} in object.metadata.annotations` },
      { name: 'new-order', expression: `!(${had} && ${same})` },
    ],
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    sideEffects: 'None',
    timeoutSeconds: 10,
    admissionReviewVersions: ['v1'],
  };
}

/** A pod that should have a proxy and has none would be outside of the mesh, so creating it fails while no replica answers. */
export function injectorNamed({ object, labels, answersTo, namespace, call }: Named): KubernetesObject {
  const outside: Requirement = {
    key: 'kubernetes.io/metadata.name',
    operator: 'NotIn',
    values: ['kube-system', 'kube-public', 'kube-node-lease', namespace],
  };
  const selections = [...selectionsOf(answersTo), ...(answersTo === DEFAULT_REVISION ? DEFAULT_SELECTIONS : [])];
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: object, labels },
    webhooks: selections.map(({ name, namespaces, pods }) => ({
      name: `${name}.injector.gatehouse.dev`,
      clientConfig: call('/inject'),
      rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], scope: 'Namespaced' }],
      namespaceSelector: { matchExpressions: [...namespaces, outside] },
      objectSelector: { matchExpressions: pods },
      failurePolicy: 'Fail',
      matchPolicy: 'Equivalent',
      reinvocationPolicy: 'Never',
      sideEffects: 'None',
      timeoutSeconds: 10,
      admissionReviewVersions: ['v1'],
    })),
  };
}

/**
 * What is refused here would be refused by the control plane when it reads it, too: the webhook only says so earlier. So while no
 * replica answers, objects can still be changed. Each object is judged by one: the revision or tag that it names, or the default.
 */
export function validatorNamed({
  object,
  labels,
  answersTo,
  call,
}: Named): KubernetesObject & { readonly webhooks: readonly unknown[] } {
  const judged = [...judgedBy(answersTo), ...(answersTo === DEFAULT_REVISION ? JUDGED_BY_DEFAULT : [])];
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: object, labels },
    webhooks: judged.map(({ name, selector }) => ({
      name: `${name}.gatehouse.dev`,
      clientConfig: call('/validate'),
      rules: Object.entries(CONFIGURATION).map(([group, resources]) => ({
        // Taking a policy away may deny, too, which is said.
        operations: group === 'security.istio.io' ? ['CREATE', 'UPDATE', 'DELETE'] : ['CREATE', 'UPDATE'],
        apiGroups: [group],
        apiVersions: ['*'],
        resources,
        scope: '*',
      })),
      objectSelector: { matchExpressions: selector },
      failurePolicy: 'Ignore',
      matchPolicy: 'Equivalent',
      sideEffects: 'None',
      timeoutSeconds: 10,
      admissionReviewVersions: ['v1'],
    })),
  };
}
