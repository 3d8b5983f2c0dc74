import { clusterName, commonLabels, instanceName } from './names.ts';
import { CONFIGURATION } from './access.ts';
import type { KubernetesObject } from './object.ts';
import { DEFAULT_REVISION, type InstallOptions } from './options.ts';

interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[];
}

const INJECTION = 'istio-injection';
const OWN_INJECTION = 'gatehouse.dev/injection';
const REVISION = 'istio.io/rev';
const INJECT = 'sidecar.istio.io/inject';

const is = (key: string, ...values: string[]): Requirement => ({ key, operator: 'In', values });
const isNot = (key: string, ...values: string[]): Requirement => ({ key, operator: 'NotIn', values });
const absent = (key: string): Requirement => ({ key, operator: 'DoesNotExist' });

interface Selection {
  readonly name: string;
  readonly namespaces: readonly Requirement[];
  readonly pods: readonly Requirement[];
}

/**
 * Which pods are sent to this revision: those that Istio's injector of this revision would get, and those in namespaces with our own
 * label. No pod is sent by two of them, so that no pod is injected twice.
 */
function selections(revision: string): readonly Selection[] {
  const byRevision: readonly Selection[] = [
    {
      name: 'rev.namespace',
      namespaces: [is(REVISION, revision), absent(INJECTION)],
      pods: [isNot(INJECT, 'false')],
    },
    {
      name: 'rev.object',
      namespaces: [absent(REVISION), absent(INJECTION), absent(OWN_INJECTION)],
      pods: [is(REVISION, revision), isNot(INJECT, 'false')],
    },
  ];
  if (revision !== DEFAULT_REVISION) return byRevision;
  return [
    ...byRevision,
    { name: 'namespace', namespaces: [is(INJECTION, 'enabled')], pods: [isNot(INJECT, 'false')] },
    {
      name: 'own.namespace',
      namespaces: [is(OWN_INJECTION, 'enabled'), absent(INJECTION), absent(REVISION)],
      pods: [isNot(INJECT, 'false')],
    },
    {
      name: 'object',
      namespaces: [absent(INJECTION), absent(REVISION), absent(OWN_INJECTION)],
      pods: [is(INJECT, 'true'), absent(REVISION)],
    },
  ];
}

/** The bundle is filled in by the control plane, which rotates the certificate: what is applied again must not empty it. */
function call(options: InstallOptions, path: string): unknown {
  return { service: { name: instanceName(options), namespace: options.namespace, path, port: 443 } };
}

/** A pod that should have a proxy and has none would be outside of the mesh, so creating it fails while no replica answers. */
export function injector(options: InstallOptions): KubernetesObject {
  const outside: Requirement = {
    key: 'kubernetes.io/metadata.name',
    operator: 'NotIn',
    values: ['kube-system', 'kube-public', 'kube-node-lease', options.namespace],
  };
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: `${clusterName(options)}-injector`, labels: commonLabels(options) },
    webhooks: selections(options.revision).map(({ name, namespaces, pods }) => ({
      name: `${name}.injector.gatehouse.dev`,
      clientConfig: call(options, '/inject'),
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
 * replica answers, objects can still be changed.
 */
export function validator(options: InstallOptions): KubernetesObject {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: `${clusterName(options)}-validator`, labels: commonLabels(options) },
    webhooks: judged(options.revision).map(({ name, selector }) => ({
      name: `${name}.gatehouse.dev`,
      clientConfig: call(options, '/validate'),
      rules: Object.entries(CONFIGURATION).map(([group, resources]) => ({
        operations: ['CREATE', 'UPDATE'],
        apiGroups: [group],
        apiVersions: ['*'],
        resources,
        scope: '*',
      })),
      objectSelector: { matchExpressions: [selector] },
      failurePolicy: 'Ignore',
      matchPolicy: 'Equivalent',
      sideEffects: 'None',
      timeoutSeconds: 10,
      admissionReviewVersions: ['v1'],
    })),
  };
}

/** Each object is judged by one revision: the one it names, or the default. */
function judged(revision: string): readonly { readonly name: string; readonly selector: Requirement }[] {
  const named = { name: 'rev.validator', selector: is(REVISION, revision) };
  return revision === DEFAULT_REVISION ? [named, { name: 'validator', selector: absent(REVISION) }] : [named];
}
