// A cluster of many namespaces, each with Services, Pods with proxies and some configuration, written through the API as people and kubelets do.
import { asJson, inject } from '../../kubernetes/inject/inject.ts';
import { isObject, type JsonObject } from '../../kubernetes/inject/json.ts';
import { DEFAULT_SETTINGS } from '../../kubernetes/inject/settings.ts';
import type { ApiClient } from '../../kubernetes/api/client.ts';

export interface Size {
  readonly namespaces: number;
  /** In each namespace. */
  readonly pods: number;
  readonly services: number;
}

const NODES = 50;
const AT_ONCE = 12;

export const namespaceName = (index: number): string => `team-${index}`;
export const podName = (index: number): string => `app-${index}`;

/** Of the CIDR 10.128.0.0/9, one for each Pod. */
function podIp(index: number): string {
  return `10.${128 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
}

/** As a Deployment's Pod looks after injection, with what the applications of a cluster have in their specs. */
function podSpec(app: string): { readonly metadata: JsonObject; readonly spec: JsonObject } {
  const spec: JsonObject = {
    serviceAccountName: 'app',
    containers: [
      {
        name: 'app',
        image: `registry.example/teams/${app}:1.0.0`,
        ports: [{ name: 'http', containerPort: 8080 }],
        env: Array.from({ length: 12 }, (_, at) => ({
          name: `SETTING_${at}`,
          value: `a value of the application, number ${at}`,
        })),
        readinessProbe: { httpGet: { path: '/ready', port: 'http' } },
        resources: { requests: { cpu: '100m', memory: '128Mi' } },
        volumeMounts: [{ name: 'config', mountPath: '/etc/app' }],
      },
    ],
    volumes: [{ name: 'config', emptyDir: {} }],
  };
  const labels = { app, version: 'v1', 'pod-template-hash': '6d4f9c7b8' };
  const outcome = inject(
    {
      pod: { metadata: { labels }, spec },
      owner: { apiVersion: 'apps/v1', kind: 'Deployment', name: app },
      namespace: 'team-0',
      namespaceAnnotations: {},
      environment: {},
    },
    DEFAULT_SETTINGS,
  );
  if (!outcome.ok) throw new Error(outcome.reason);
  const { metadata, spec: made } = asJson(outcome.pod);
  return { metadata, spec: made };
}

async function all<Item>(items: Iterable<Item>, work: (item: Item) => Promise<unknown>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function* range(count: number): Generator<number> {
  for (let index = 0; index < count; index++) yield index;
}

/** @param tell what is done, for whoever waits */
export async function fill(client: ApiClient, { namespaces, pods, services }: Size, tell: (what: string) => void): Promise<void> {
  const post = (path: string, body: unknown): Promise<unknown> =>
    client.request({ method: 'POST', path, body, timeoutMs: 120_000 });
  await all(range(NODES), (index) =>
    post('/api/v1/nodes', {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `n${index}`, labels: { 'topology.kubernetes.io/zone': `zone-${index % 3}` } },
    }),
  );
  tell(`${namespaces} namespaces`);
  await all(range(namespaces), async (index) => {
    const name = namespaceName(index);
    const path = `/api/v1/namespaces/${name}`;
    await post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { team: name } } });
    await post(`${path}/serviceaccounts`, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'app' } });
    // What people keep in a namespace, and what is nobody's business in a mesh.
    await post(`${path}/configmaps`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings' },
      data: { 'application.yaml': 'a line of settings of an application\n'.repeat(200) },
    });
    await post(`${path}/secrets`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'settings' },
      stringData: { password: 'x'.repeat(2000) },
    });
  });
  tell(`${namespaces * pods} pods`);
  const specs = new Map<string, ReturnType<typeof podSpec>>();
  const [node, condition] = [(index: number) => `n${index % NODES}`, new Date(0).toISOString()];
  await all(range(namespaces * pods), async (index) => {
    const namespace = namespaceName(Math.floor(index / pods));
    const inNamespace = index % pods;
    const app = `app-${inNamespace % services}`;
    const { metadata, spec } = specs.get(app) ?? podSpec(app);
    specs.set(app, { metadata, spec });
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, name: podName(inNamespace) },
      spec: { ...spec, nodeName: node(index) },
    };
    const path = `/api/v1/namespaces/${namespace}/pods`;
    await post(path, body);
    await client.request({
      method: 'PATCH',
      path: `${path}/${podName(inNamespace)}/status`,
      timeoutMs: 120_000,
      body: {
        status: {
          phase: 'Running',
          podIP: podIp(index),
          podIPs: [{ ip: podIp(index) }],
          hostIP: '10.0.0.1',
          startTime: condition,
          conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
            type,
            status: 'True',
            lastTransitionTime: condition,
          })),
          containerStatuses: ['app', 'istio-proxy'].map((name) => ({
            name,
            ready: true,
            restartCount: 0,
            image: `registry.example/${name}:1`,
            imageID: `registry.example/${name}@sha256:${'0'.repeat(64)}`,
            started: true,
            state: { running: { startedAt: condition } },
          })),
        },
      },
    });
  });
  tell(`${namespaces * services} Services, and configuration`);
  await all(range(namespaces), async (index) => {
    const namespace = namespaceName(index);
    for (const service of range(services)) {
      const name = `app-${service}`;
      await post(`/api/v1/namespaces/${namespace}/services`, {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name },
        spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
      });
    }
    const route = { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: 'app-0' } };
    await post(`/apis/networking.istio.io/v1/namespaces/${namespace}/virtualservices`, {
      ...route,
      spec: { hosts: ['app-0'], http: [{ timeout: '5s', route: [{ destination: { host: 'app-0' } }] }] },
    });
    await post(`/apis/security.istio.io/v1/namespaces/${namespace}/authorizationpolicies`, {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'app-0' },
      spec: {
        selector: { matchLabels: { app: 'app-0' } },
        rules: [{ from: [{ source: { namespaces: [namespace] } }], to: [{ operation: { methods: ['GET'] } }] }],
      },
    });
  });
}

/** So many EndpointSlices with an endpoint are there. */
export async function slicesWithEndpoints(client: ApiClient): Promise<number> {
  let [count, next] = [0, ''];
  do {
    const query = new URLSearchParams({ limit: '500', ...(next === '' ? {} : { continue: next }) });
    const page = await client.request({
      path: `/apis/discovery.k8s.io/v1/endpointslices?${query.toString()}`,
      timeoutMs: 60_000,
    });
    if (!isObject(page)) return count;
    const { items, metadata } = page;
    for (const slice of Array.isArray(items) ? items : [])
      if (isObject(slice) && Array.isArray(slice['endpoints']) && slice['endpoints'].length > 0) count += 1;
    next = isObject(metadata) && typeof metadata['continue'] === 'string' ? metadata['continue'] : '';
  } while (next !== '');
  return count;
}
