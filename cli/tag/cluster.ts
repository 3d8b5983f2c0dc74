import type { Command } from 'commander';
import { isNotFound } from '../../kubernetes/api/api-error.ts';
import { apiClient, type ApiClient } from '../../kubernetes/api/client.ts';
import { clusterAccess } from '../../kubernetes/api/connect.ts';
import { isJson, type Json, listAt, mapAt, textAt } from '../../kubernetes/api/json.ts';
import type { KubernetesObject } from '../../kubernetes/install/object.ts';
import { kubeconfigOptions } from '../serve/cluster-options.ts';

export interface KubeFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
}

export function addKubeOptions(command: Command): Command {
  for (const option of kubeconfigOptions()) command.addOption(option);
  return command;
}

/** What the work found wrong; its message is what to do. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** Does something with a cluster; what it cannot do is told on stderr, with exit code 1. */
export async function withCluster(command: string, flags: KubeFlags, work: (client: ApiClient) => Promise<void>): Promise<void> {
  let client: ApiClient | undefined;
  try {
    client = apiClient(await clusterAccess({ file: flags.kubeconfig, context: flags.context }));
    await work(client);
  } catch (error) {
    // The library that reads kubeconfigs throws errors of its own.
    process.stderr.write(`gatehouse ${command}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    client?.close();
  }
}

/** Kinds that belong to an installation, with where they are. In the order in which they are taken away: nobody is asked any more before nobody answers. */
export const PLURALS: Readonly<Record<string, string>> = Object.freeze({
  MutatingWebhookConfiguration: 'apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
  ValidatingWebhookConfiguration: 'apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
  Deployment: 'apis/apps/v1/deployments',
  DaemonSet: 'apis/apps/v1/daemonsets',
  CSIDriver: 'apis/storage.k8s.io/v1/csidrivers',
  PodDisruptionBudget: 'apis/policy/v1/poddisruptionbudgets',
  NetworkPolicy: 'apis/networking.k8s.io/v1/networkpolicies',
  Service: 'api/v1/services',
  ConfigMap: 'api/v1/configmaps',
  RoleBinding: 'apis/rbac.authorization.k8s.io/v1/rolebindings',
  Role: 'apis/rbac.authorization.k8s.io/v1/roles',
  ClusterRoleBinding: 'apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  ClusterRole: 'apis/rbac.authorization.k8s.io/v1/clusterroles',
  ServiceAccount: 'api/v1/serviceaccounts',
});

interface Place {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

export function pathOf({ kind, name, namespace }: Place): string {
  const plural = kind === 'Namespace' ? 'api/v1/namespaces' : PLURALS[kind];
  if (plural === undefined) throw new Error(`where objects of kind ${kind} are is not known here`);
  if (namespace === undefined) return `/${plural}/${name}`;
  const slash = plural.lastIndexOf('/');
  return `/${plural.slice(0, slash)}/namespaces/${namespace}${plural.slice(slash)}/${name}`;
}

export async function find(client: ApiClient, place: Place): Promise<Json | undefined> {
  try {
    const found = await client.request({ path: pathOf(place) });
    return isJson(found) ? found : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** All objects of a list, page by page. */
export async function list(
  client: ApiClient,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<readonly Json[]> {
  const found: Json[] = [];
  let next = '';
  do {
    const all = new URLSearchParams({ ...query, limit: '500', ...(next === '' ? {} : { continue: next }) });
    const page = await client.request({ path: `${path}?${all.toString()}` });
    found.push(...listAt(page, 'items').filter(isJson));
    next = textAt(page, 'metadata', 'continue');
  } while (next !== '');
  return found;
}

/** Server-side apply: what others wrote beside it stays. */
export async function apply(client: ApiClient, object: KubernetesObject): Promise<void> {
  const { kind, metadata } = object;
  await client.request({
    method: 'PATCH',
    path: `${pathOf({ kind, ...metadata })}?fieldManager=gatehouse&force=true`,
    contentType: 'application/apply-patch+yaml',
    body: object,
  });
}

/** @returns false when it was not there */
export async function remove(client: ApiClient, place: Place, propagationPolicy = 'Background'): Promise<boolean> {
  try {
    await client.request({
      method: 'DELETE',
      path: pathOf(place),
      body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy },
    });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

export function labelsOf(object: Json): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(mapAt(object, 'metadata', 'labels')).flatMap(([key, value]) =>
      typeof value === 'string' ? [[key, value]] : [],
    ),
  );
}

export function nameOf(object: Json): string {
  return textAt(object, 'metadata', 'name');
}
