import type { Logger } from 'pino';
import { ApiError } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { isObject, type JsonObject, listAt, objectAt, textAt } from '../inject/json.ts';

/** A webhook configuration whose certificate bundle is ours to keep. */
export interface Configuration {
  readonly resource: 'mutatingwebhookconfigurations' | 'validatingwebhookconfigurations';
  readonly name: string;
}

export interface BundleKeeperOptions {
  readonly client: ApiClient;
  readonly configurations: readonly Configuration[];
  /** The roots that the API server is to trust, PEM. */
  readonly rootsPem: () => string;
  readonly log: Logger;
  readonly everyMs?: number;
}

export interface BundleKeeper {
  /** To be called when the roots changed. */
  look(): Promise<void>;
  close(): void;
}

/** Also notices what somebody else wrote: an apply of the manifests, another tool. */
const EVERY_MS = 30_000;

/**
 * Keeps `caBundle` of the webhook configurations at the roots of our authority, so that the API server believes the webhooks' certificate. All replicas do it:
 * they write the same, and only where it differs.
 */
export function keepBundles({ client, configurations, rootsPem, log, everyMs = EVERY_MS }: BundleKeeperOptions): BundleKeeper {
  const told = new Map<string, string>();
  let turn = Promise.resolve();
  const tell = (name: string, message: string): void => {
    if (told.get(name) !== message) log.warn({ configuration: name }, message);
    told.set(name, message);
  };
  const one = async ({ resource, name }: Configuration): Promise<void> => {
    const path = `/apis/admissionregistration.k8s.io/v1/${resource}/${name}`;
    try {
      const found = await client.request({ path });
      const patch = isObject(found) ? bundlePatch(found, rootsPem()) : [];
      if (patch.length > 0) {
        await client.request({ method: 'PATCH', path, contentType: 'application/json-patch+json', body: patch });
        log.info({ configuration: name }, 'the webhook configuration has the roots of this authority');
      }
      told.delete(name);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404)
        return tell(name, 'there is no such webhook configuration: install the manifests');
      // Somebody wrote in between: the next look sees what.
      if (error instanceof ApiError && (error.status === 409 || error.status === 422)) return;
      tell(name, `the webhook configuration cannot be kept: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const look = (): Promise<void> => {
    turn = turn.then(async () => {
      for (const configuration of configurations) await one(configuration);
    });
    return turn;
  };
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return { look, close: () => clearInterval(timer) };
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
