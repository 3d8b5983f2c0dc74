import type { Logger } from 'pino';
import { ApiError } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { isObject, type JsonObject, listAt, objectAt, textAt } from '../inject/json.ts';
import { ResourceWatch } from '../watch/resource-watch.ts';

const RESOURCES = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'] as const;
type Resource = (typeof RESOURCES)[number];

export interface BundleKeeperOptions {
  readonly client: ApiClient;
  /** Which configurations may be ours. */
  readonly labelSelector: string;
  /** The names of those that are, by their labels. */
  readonly isOurs: (name: string, labels: JsonObject) => boolean;
  /** What there must be: it is told of while it is missing. */
  readonly wanted: Readonly<Record<Resource, string>>;
  /** The roots that the API server is to trust, PEM. */
  readonly rootsPem: () => string;
  readonly log: Logger;
}

export interface BundleKeeper {
  /** What is there now has the roots of now when this is done. To be called when the roots changed. */
  look(): Promise<void>;
  close(): void;
}

const RETRY_MS = 2000;
const TIMEOUT_MS = 10_000;

/**
 * Keeps `caBundle` of the webhook configurations of a revision, and of the tags that stand for it, at the roots of our authority, so that the API server believes the
 * webhooks' certificate. They are watched: what somebody applies without a bundle (manifests, a tag of another tool) is not called in vain for long. All replicas do
 * it: they write the same, and only where it differs.
 */
export function keepBundles({ client, labelSelector, isOurs, wanted, rootsPem, log }: BundleKeeperOptions): BundleKeeper {
  const told = new Map<string, string>();
  let turn = Promise.resolve();
  let [waiting, closed] = [false, false];
  let retry: NodeJS.Timeout | undefined;
  const pathOf = (resource: Resource): string => `/apis/admissionregistration.k8s.io/v1/${resource}`;
  const tell = (name: string, message: string): void => {
    if (told.get(name) !== message) log.warn({ configuration: name }, message);
    told.set(name, message);
  };
  const trouble = (name: string, error: unknown): void => {
    tell(name, `the webhook configuration cannot be kept: ${error instanceof Error ? error.message : String(error)}`);
    clearTimeout(retry);
    if (!closed) retry = setTimeout(() => void look(), RETRY_MS).unref();
  };
  const keep = async (resource: Resource, name: string, found: JsonObject): Promise<void> => {
    const patch = bundlePatch(found, rootsPem());
    try {
      if (patch.length > 0) {
        const path = `${pathOf(resource)}/${name}`;
        const contentType = 'application/json-patch+json';
        await client.request({ method: 'PATCH', path, contentType, body: patch, timeoutMs: TIMEOUT_MS });
        log.info({ configuration: name }, 'the webhook configuration has the roots of this authority');
      }
      told.delete(name);
    } catch (error) {
      // Somebody wrote or deleted it in between: the watch tells of it.
      if (error instanceof ApiError && [404, 409, 422].includes(error.status)) return;
      trouble(name, error);
    }
  };
  const lookAt = async (resource: Resource): Promise<void> => {
    try {
      const query = new URLSearchParams({ labelSelector }).toString();
      const list = await client.request({ path: `${pathOf(resource)}?${query}`, timeoutMs: TIMEOUT_MS });
      const names = new Set<string>();
      for (const found of isObject(list) ? listAt(list, 'items') : []) {
        const metadata = objectAt(found, 'metadata');
        const name = textAt(metadata, 'name') ?? '';
        if (!isOurs(name, objectAt(metadata, 'labels'))) continue;
        names.add(name);
        await keep(resource, name, found);
      }
      if (!names.has(wanted[resource])) tell(wanted[resource], 'there is no such webhook configuration: install the manifests');
    } catch (error) {
      trouble(resource, error);
    }
  };
  const look = (): Promise<void> => {
    // Whoever asks while a look waits for its turn is answered by that one.
    if (!waiting) {
      waiting = true;
      turn = turn.then(async () => {
        waiting = false;
        if (closed) return;
        for (const resource of RESOURCES) await lookAt(resource);
      });
    }
    return turn;
  };
  const watches = RESOURCES.map(
    (resource) =>
      new ResourceWatch({
        client,
        path: pathOf(resource),
        query: { labelSelector },
        accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
        listAccept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
        onTold: ({ kind }) => {
          if (kind === 'put' || kind === 'gone') void look();
        },
      }),
  );
  return {
    look,
    close: () => {
      closed = true;
      clearTimeout(retry);
      for (const watch of watches) watch.close();
    },
  };
}

/** What makes every webhook of a configuration have this bundle; held to the version that was read. */
export function bundlePatch(configuration: JsonObject, rootsPem: string): readonly JsonObject[] {
  const bundle = Buffer.from(rootsPem).toString('base64');
  const version = textAt(objectAt(configuration, 'metadata'), 'resourceVersion');
  const changes = listAt(configuration, 'webhooks').flatMap((webhook, index) =>
    textAt(objectAt(webhook, 'clientConfig'), 'caBundle') === bundle
      ? []
      : [{ op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: bundle }],
  );
  if (changes.length === 0) return [];
  return version === undefined ? changes : [{ op: 'test', path: '/metadata/resourceVersion', value: version }, ...changes];
}
