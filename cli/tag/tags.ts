import type { ApiClient } from '../../kubernetes/api/client.ts';
import { isJson, type Json, listAt, mapAt } from '../../kubernetes/api/json.ts';
import { clusterName, tagName } from '../../kubernetes/install/names.ts';
import { NAMESPACE_LABELS } from '../../kubernetes/install/selections.ts';
import { REVISION_LABEL, TAG_LABEL } from '../../kubernetes/install/tag.ts';
import { DEFAULT_REVISION } from '../../kubernetes/install/options.ts';
import type { CallPath } from '../../kubernetes/install/webhooks.ts';
import { find, labelsOf, list, nameOf, PLURALS, Refused } from './cluster.ts';

export interface TagRow {
  readonly tag: string;
  readonly revision: string;
  /** Those that name it. */
  readonly namespaces: readonly string[];
}

/** The tags of the installation in a namespace. */
export async function tagsOf(client: ApiClient, namespace: string): Promise<readonly TagRow[]> {
  const found = await list(client, `/${PLURALS['MutatingWebhookConfiguration'] ?? ''}`, {
    labelSelector: `app=gatehouse,${TAG_LABEL}`,
  });
  const tags = found.flatMap((object) => {
    const { [TAG_LABEL]: tag = '', [REVISION_LABEL]: revision = '' } = labelsOf(object);
    return nameOf(object) === tagName({ tag, namespace }) ? [{ tag, revision }] : [];
  });
  if (tags.length === 0) return [];
  const namespaces = await list(client, '/api/v1/namespaces');
  return tags.map((one) => ({ ...one, namespaces: namespacesThatName(namespaces, one.tag) }));
}

/** Namespaces whose pods belong to a revision or a tag of this name, sorted. */
export function namespacesThatName(namespaces: readonly Json[], name: string): readonly string[] {
  return namespaces
    .filter((one) => namedBy(labelsOf(one)) === name)
    .map(nameOf)
    .sort();
}

/** As the webhooks select (selections.ts). */
function namedBy(labels: Readonly<Record<string, string>>): string | undefined {
  const [injection, own] = [labels['istio-injection'], labels['gatehouse.dev/injection']];
  if (own === 'disabled') return undefined;
  if (injection !== undefined) return injection === 'enabled' ? DEFAULT_REVISION : undefined;
  const [istio, ours] = NAMESPACE_LABELS.map((label) => labels[label]);
  if (istio !== undefined) return istio;
  if (own !== undefined) return own === 'enabled' ? DEFAULT_REVISION : undefined;
  return ours;
}

/**
 * How a revision is called: as its own webhook is, with the roots that the API server believes now, so that a tag works from the moment that it is there.
 * @throws Refused when it is not installed
 */
export async function callsOf(client: ApiClient, revision: string, namespace: string): Promise<CallPath> {
  const name = `${clusterName({ revision, namespace })}-injector`;
  const found = await find(client, { kind: 'MutatingWebhookConfiguration', name });
  const [first] = listAt(found, 'webhooks');
  const config = mapAt(first, 'clientConfig');
  if (found === undefined || Object.keys(config).length === 0) {
    throw new Refused(`there is no revision ${revision} in namespace ${namespace}: gatehouse install --revision ${revision}`);
  }
  const { service, url, caBundle } = config;
  const bundle = typeof caBundle === 'string' ? { caBundle } : {};
  return (path) =>
    isJson(service)
      ? { service: { ...service, path }, ...bundle }
      : { url: typeof url === 'string' ? new URL(path, url).toString() : url, ...bundle };
}
