import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { MeshPlan, PlannedProxy, PlannedService } from './plan.ts';

const ACCOUNT = 'apiVersion: v1\nkind: ServiceAccount\n';
const DEPLOYMENT = 'apiVersion: apps/v1\nkind: Deployment\n';

const meta = (name: string, namespace: string): string => `metadata:\n  name: ${name}\n  namespace: ${namespace}\n`;

function indented(values: Readonly<Record<string, string>>, by: number): string {
  return Object.entries(values)
    .map(([key, value]) => `${' '.repeat(by)}${key}: ${value}\n`)
    .join('');
}

/** The version of the n-th endpoint: the first and third are v1, the second v2. */
const versionOf = (endpoint: number): string => (endpoint === 1 ? 'v2' : 'v1');

function deployment(name: string, namespace: string, labels: Readonly<Record<string, string>>, replicas: number): string {
  return `${DEPLOYMENT}${meta(name, namespace)}spec:
  replicas: ${String(replicas)}
  selector:
    matchLabels:
      app: ${name}
  template:
    metadata:
      labels:
${indented(labels, 8)}    spec:
      serviceAccountName: ${name}
      containers:
        - name: app
          image: app
`;
}

function pod(name: string, owner: PlannedProxy): string {
  return `apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: ${owner.namespace}
  labels:
${indented(owner.labels, 4)}  ownerReferences:
    - apiVersion: apps/v1
      kind: Deployment
      name: ${owner.name}
      uid: 00000000-0000-0000-0000-000000000000
spec:
  serviceAccountName: ${owner.serviceAccount}
  containers:
    - name: app
      image: app
status:
  phase: Running
  podIP: ${owner.ip}
  conditions:
    - type: Ready
      status: 'True'
`;
}

function service({ name, namespace, address }: PlannedService): string {
  return `apiVersion: v1
kind: Service
${meta(name, namespace)}spec:
  clusterIP: ${address}
  selector:
    app: ${name}
  ports:
    - name: http
      port: 80
      targetPort: 8080
`;
}

function serviceEntry({ name, namespace, host, address }: PlannedService, endpoints: readonly string[]): string {
  const list = endpoints
    .map((ip, index) => `    - address: ${ip}\n      labels:\n        app: ${name}\n        version: ${versionOf(index)}\n`)
    .join('');
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
${meta(name, namespace)}spec:
  hosts:
    - ${host}
  addresses:
    - ${address}
  location: MESH_INTERNAL
  resolution: STATIC
  ports:
    - number: 80
      name: http
      protocol: HTTP
      targetPort: 8080
  endpoints:
${list}`;
}

function subsets({ name, namespace, host }: PlannedService): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
${meta(name, namespace)}spec:
  host: ${host}
  subsets:
    - name: v1
      labels:
        version: v1
    - name: v2
      labels:
        version: v2
`;
}

function routes({ name, namespace, host }: PlannedService, weight: number): string {
  const to = (subset: string, share: number): string =>
    `        - destination:\n            host: ${host}\n            subset: ${subset}\n          weight: ${String(share)}\n`;
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
${meta(name, namespace)}spec:
  hosts:
    - ${host}
  http:
    - route:
${to('v1', weight)}${to('v2', 100 - weight)}`;
}

export interface MeshFile {
  readonly path: string;
  readonly text: string;
}

const DOCUMENT = '---\n';

/** The file with a service's endpoints, these or its first ones. */
export function endpointsFile(plan: MeshPlan, of: PlannedService, endpoints: readonly string[] = of.endpoints): MeshFile {
  const { name, namespace } = of;
  if (plan.options.form === 'entries') return { path: `${namespace}/${name}.yaml`, text: serviceEntry(of, endpoints) };
  const pods = endpoints.map((ip, index) =>
    pod(`${name}-${String(index)}`, {
      name,
      namespace,
      pod: name,
      serviceAccount: name,
      ip,
      labels: { app: name, version: versionOf(index) },
    }),
  );
  return { path: `${namespace}/${name}-pods.yaml`, text: pods.join(DOCUMENT) };
}

/** The file with a service's routes and subsets. */
export function routesFile(of: PlannedService, weight: number): MeshFile {
  return { path: `${of.namespace}/${of.name}-routes.yaml`, text: `${subsets(of)}${DOCUMENT}${routes(of, weight)}` };
}

export function* meshFiles(plan: MeshPlan): Generator<MeshFile> {
  yield {
    path: 'namespaces.yaml',
    text: plan.namespaces.map((name) => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`).join(DOCUMENT),
  };
  for (const planned of plan.services) {
    const { name, namespace, endpoints, weight } = planned;
    yield endpointsFile(plan, planned);
    if (plan.options.form === 'services') {
      const account = `${ACCOUNT}${meta(name, namespace)}`;
      const owner = deployment(name, namespace, { app: name }, endpoints.length);
      yield { path: `${namespace}/${name}.yaml`, text: [account, service(planned), owner].join(DOCUMENT) };
    }
    if (weight !== undefined) yield routesFile(planned, weight);
  }
  // In the other form the pods of the first services are the proxies.
  if (plan.options.form === 'services') return;
  for (const proxy of plan.proxies) {
    const { name, namespace, labels } = proxy;
    const text = [`${ACCOUNT}${meta(name, namespace)}`, deployment(name, namespace, labels, 1), pod(proxy.pod, proxy)].join(
      DOCUMENT,
    );
    yield { path: `${namespace}/${name}.yaml`, text };
  }
}

export function writeMesh(folder: string, plan: MeshPlan): void {
  const made = new Set<string>();
  for (const { path, text } of meshFiles(plan)) {
    const file = join(folder, path);
    const parent = dirname(file);
    if (!made.has(parent)) mkdirSync(parent, { recursive: true });
    made.add(parent);
    writeFileSync(file, text);
  }
}

/** Replaces a file at once, as `gatehouse apply` does: no reader sees half of it. */
export function replaceFile(folder: string, { path, text }: MeshFile): void {
  const file = join(folder, path);
  const fresh = join(dirname(file), `.${path.split('/').at(-1) ?? ''}.new`);
  writeFileSync(fresh, text);
  renameSync(fresh, file);
}
