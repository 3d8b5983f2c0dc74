import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { Authority } from '../../ca/authority.ts';
import { clusterName, instanceName, tagName } from '../../kubernetes/install/names.ts';
import { REVISION_LABEL, TAG_LABEL } from '../../kubernetes/install/tag.ts';
import { isObject, objectAt, textAt, textsAt, type TextMap } from '../../kubernetes/inject/json.ts';
import { DEFAULT_SETTINGS } from '../../kubernetes/inject/settings.ts';
import { keepBundles } from '../../kubernetes/webhook/configurations.ts';
import { reviewInjection } from '../../kubernetes/webhook/inject-review.ts';
import { webhookServer } from '../../kubernetes/webhook/server.ts';
import { LeavingRoots } from '../../kubernetes/webhook/leaving-roots.ts';
import { reviewConfiguration, type Validate } from '../../kubernetes/webhook/validate-review.ts';
import { admitDocument } from '../../mesh/admit/admit.ts';
import { nodeOf } from '../../mesh/admit/node.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import type { ListenAddress } from '../options/address.ts';
import type { Cluster } from './cluster-options.ts';
import { InjectionConfig } from './injection-config.ts';
import type { PolicyWarnings } from './policy-warnings.ts';
import type { WebhookOptions } from './webhook-options.ts';

export interface WebhookSurroundings {
  readonly cluster: Pick<Cluster, 'client' | 'systemNamespace'>;
  readonly authority: Pick<Authority, 'serverCredentials' | 'rotation'>;
  readonly meshConfig: () => MeshConfig;
  readonly meshConfigFile: string | undefined;
  readonly advertise: readonly string[];
  /** Tells what changes of policies deny; absent: nobody does. */
  readonly policyWarnings?: Pick<PolicyWarnings, 'of'>;
  readonly log: Logger;
}

export interface RunningWebhooks {
  readonly address: ListenAddress;
  /** Looks at once whether the webhook configurations have our roots; it is looked now and then in any case. */
  look(): Promise<void>;
  /** Another certificate at once. */
  renew(): Promise<void>;
  close(): Promise<void>;
}

/** So long a root that is taken out of the bundle is believed by the API server: other replicas may show a certificate of it for a moment longer. */
const LEAVING_MS = 30_000;

/** The webhooks of a cluster: their server, with a certificate of our authority, and the bundle by which the API server believes it. */
export async function startWebhooks(options: WebhookOptions, around: WebhookSurroundings): Promise<RunningWebhooks> {
  const { cluster, authority, log } = around;
  const { revision } = options;
  const place = { revision, namespace: cluster.systemNamespace };
  const service = `${instanceName(place)}.${cluster.systemNamespace}.svc`;
  const tls = await authority.serverCredentials({
    dnsNames: [...new Set([service, `${service}.cluster.local`, 'localhost', ...around.advertise])],
    ipAddresses: ['127.0.0.1'],
  });
  const address = `${service}:15012`;
  const config = new InjectionConfig({
    ...cluster,
    source: { meshConfig: around.meshConfigFile, values: options.values, revision, image: options.proxyImage },
    base: {
      ...DEFAULT_SETTINGS,
      controlPlane: { ...DEFAULT_SETTINGS.controlPlane, address },
      // Istio's own agent would look for istiod otherwise.
      proxyConfig: { ...DEFAULT_SETTINGS.proxyConfig, discoveryAddress: address },
    },
    log,
    monotonic: () => performance.now(),
  });
  await config.current();
  const validate: Validate = (object, namespace) =>
    admitDocument(
      { file: '', offset: 0, node: nodeOf(object, 1) },
      { meshConfig: around.meshConfig(), defaultNamespace: namespace || 'default' },
    ).diagnostics;
  const server = await webhookServer({
    ...options.address,
    context: tls.context(),
    log,
    handlers: {
      inject: async (request, environment) => {
        const [settings, namespaceAnnotations] = [await config.current(), await annotationsOf(cluster, request.namespace, log)];
        return reviewInjection(request, { settings, namespaceAnnotations, environment });
      },
      validate: async (request) => {
        const answer = reviewConfiguration(request, validate);
        if (!answer.allowed || around.policyWarnings === undefined) return answer;
        return { ...answer, warnings: [...(await around.policyWarnings.of(request)), ...(answer.warnings ?? [])] };
      },
    },
  });
  const name = clusterName(place);
  const leaving = new LeavingRoots(LEAVING_MS, () => performance.now());
  const bundles = keepBundles({
    client: cluster.client,
    labelSelector: `app=gatehouse,${REVISION_LABEL}=${revision}`,
    wanted: { mutatingwebhookconfigurations: `${name}-injector`, validatingwebhookconfigurations: `${name}-validator` },
    // Another installation in another namespace may have a revision and a tag of the same names.
    isOurs: (one, labels) => {
      const tag = textAt(labels, TAG_LABEL);
      if (tag !== undefined) return one === tagName({ tag, namespace: cluster.systemNamespace });
      return one === `${name}-injector` || one === `${name}-validator`;
    },
    rootsPem: () => leaving.with(authority.rotation.rootsPem()),
    log,
  });
  await bundles.look();
  const stopFollowing = tls.onChange(() => server.renew(tls.context()));
  let narrowed: NodeJS.Timeout | undefined;
  authority.rotation.onChange(() => {
    // The authority has renewed the certificate by now: shown before the root of the old one is no longer believed.
    clearTimeout(narrowed);
    narrowed = setTimeout(() => void bundles.look(), LEAVING_MS + 1000).unref();
    return bundles.look();
  });
  return {
    address: { host: options.address.host, port: server.port },
    look: () => bundles.look(),
    renew: () => tls.renew(),
    close: async () => {
      stopFollowing();
      clearTimeout(narrowed);
      bundles.close();
      await server.close();
    },
  };
}

/** Which users a namespace's pods may be, on OpenShift. Where it cannot be read, the usual user: a pod that may not be it is refused later, by name. */
async function annotationsOf({ client }: WebhookSurroundings['cluster'], namespace: string, log: Logger): Promise<TextMap> {
  if (namespace === '') return {};
  try {
    const found = await client.request({ path: `/api/v1/namespaces/${encodeURIComponent(namespace)}`, timeoutMs: 2000 });
    return isObject(found) ? textsAt(objectAt(found, 'metadata'), 'annotations') : {};
  } catch (error) {
    log.warn(
      { namespace, error: error instanceof Error ? error.message : String(error) },
      'the namespace of a pod cannot be read',
    );
    return {};
  }
}
