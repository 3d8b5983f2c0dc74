import type { Labels } from '../../mesh/model/object.ts';
import type { ApiClient } from '../api/client.ts';
import { textAt } from '../api/json.ts';
import { DEFAULT_REVISION } from '../install/options.ts';
import { NAMESPACE_LABELS } from '../install/selections.ts';
import { REVISION_LABEL, TAG_LABEL } from '../install/tag.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';

/** Which revision, or tag, a rollout is for: its own label, or that of its namespace, whose proxies are that revision's. */
export function wantedRevision(rollout: Labels, namespace: Labels): string {
  for (const labels of [rollout, namespace])
    for (const label of NAMESPACE_LABELS) if (labels[label] !== undefined && labels[label] !== '') return labels[label];
  return DEFAULT_REVISION;
}

/** Names that mean this revision: its own, and those of its tags. */
export class RevisionNames {
  readonly #revision: string;
  readonly #tags = new Map<string, string>();
  readonly #watch: ResourceWatch | undefined;

  /** @param revision empty: there are no revisions, and all is ours */
  constructor(client: ApiClient, revision: string, onChange: () => void) {
    this.#revision = revision;
    if (revision === '') return;
    let listed: Set<string> | undefined;
    this.#watch = new ResourceWatch({
      client,
      path: '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
      query: { labelSelector: `app=gatehouse,${TAG_LABEL}` },
      without: new Set(['managedFields', 'webhooks']),
      onTold: (told) => {
        if (told.kind === 'listing') listed = new Set();
        if (told.kind === 'put')
          for (const { name, json } of told.objects) {
            const [tag, of] = [TAG_LABEL, REVISION_LABEL].map((label) => textAt(json, 'metadata', 'labels', label));
            listed?.add(name);
            if (of === revision && tag !== undefined) this.#tags.set(name, tag);
            else this.#tags.delete(name);
          }
        if (told.kind === 'gone') this.#tags.delete(told.object.name);
        if (told.kind === 'listed') {
          for (const name of this.#tags.keys()) if (listed?.has(name) === false) this.#tags.delete(name);
          listed = undefined;
        }
        if (told.kind !== 'listing') onChange();
      },
    });
  }

  mean(name: string): boolean {
    return this.#revision === '' || name === this.#revision || [...this.#tags.values()].includes(name);
  }

  close(): void {
    this.#watch?.close();
  }
}
