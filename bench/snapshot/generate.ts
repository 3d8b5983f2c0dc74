import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Shape {
  /** Half of them are Services with a Deployment and three Pods, half ServiceEntries with three endpoints. */
  readonly services: number;
  readonly namespaces: number;
  /** AuthorizationPolicies over all namespaces; most select one workload. */
  readonly policies: number;
  /** `folder`: a file for each service; `whole`: everything in one. */
  readonly files: 'folder' | 'whole';
}

/** One service in so many has a VirtualService and a DestinationRule. */
const ROUTED_EVERY = 10;

const space = ({ namespaces }: Shape, index: number): string => `ns-${String(index % namespaces).padStart(3, '0')}`;
const name = (index: number): string => `svc-${String(index).padStart(5, '0')}`;
const address = (block: number, index: number): string =>
  `10.${String(block + (index >>> 16))}.${String((index >>> 8) & 255)}.${String(index & 255)}`;

function pods(shape: Shape, index: number): readonly string[] {
  const [own, namespace] = [name(index), space(shape, index)];
  const template = `      labels: {app: ${own}, version: v1}
    spec:
      serviceAccountName: ${own}
      containers:
      - name: app
        image: app
        ports:
        - containerPort: 8080
`;
  return [
    `apiVersion: v1
kind: Service
metadata:
  name: ${own}
  namespace: ${namespace}
spec:
  selector:
    app: ${own}
  ports:
  - name: http
    port: 80
    targetPort: 8080
`,
    `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${own}
  namespace: ${namespace}
spec:
  selector:
    matchLabels: {app: ${own}}
  template:
    metadata:
${template}`,
    ...[0, 1, 2].map((at) => pod(shape, index, at, address(32, index * 3 + at))),
  ];
}

/** The `at`-th Pod behind a service. */
export function pod(shape: Shape, index: number, at: number, ip: string): string {
  const own = name(index);
  return `apiVersion: v1
kind: Pod
metadata:
  name: ${own}-${String(at)}
  namespace: ${space(shape, index)}
  labels:
    app: ${own}
    version: ${at === 1 ? 'v2' : 'v1'}
  ownerReferences:
  - {apiVersion: apps/v1, kind: Deployment, name: ${own}, uid: 00000000-0000-0000-0000-000000000000}
spec:
  serviceAccountName: ${own}
  containers:
  - name: app
    image: app
    ports:
    - containerPort: 8080
status:
  phase: Running
  podIP: ${ip}
  conditions:
  - type: Ready
    status: 'True'
`;
}

function entry(shape: Shape, index: number): string {
  const own = name(index);
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: ${own}
  namespace: ${space(shape, index)}
spec:
  hosts:
  - ${hostOf(shape, index)}
  location: MESH_INTERNAL
  resolution: STATIC
  ports:
  - {number: 80, name: http, protocol: HTTP, targetPort: 8080}
  endpoints:
${[0, 1, 2]
  .map((at) => `  - address: ${address(32, index * 3 + at)}\n    labels: {app: ${own}, version: ${at === 1 ? 'v2' : 'v1'}}\n`)
  .join('')}`;
}

const hostOf = (shape: Shape, index: number): string => `${name(index)}.${space(shape, index)}.svc.cluster.local`;

function rule(shape: Shape, index: number): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: ${name(index)}
  namespace: ${space(shape, index)}
spec:
  host: ${hostOf(shape, index)}
  subsets:
  - name: v1
    labels: {version: v1}
  - name: v2
    labels: {version: v2}
`;
}

/** The routes of a service, by weight. */
export function routes(shape: Shape, index: number, weight: number): string {
  const to = (subset: string, share: number): string =>
    `    - destination: {host: ${hostOf(shape, index)}, subset: ${subset}}\n      weight: ${String(share)}\n`;
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: ${name(index)}
  namespace: ${space(shape, index)}
spec:
  hosts:
  - ${hostOf(shape, index)}
  http:
  - route:
${to('v1', weight)}${to('v2', 100 - weight)}`;
}

/** A policy for one workload, or for its whole namespace. */
export function policy(shape: Shape, index: number, path: string): string {
  const target = index % shape.services;
  const selector = index % 10 < 4 ? '' : `  selector:\n    matchLabels:\n      app: ${name(target)}\n`;
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: policy-${String(index).padStart(5, '0')}
  namespace: ${space(shape, target)}
spec:
${selector}  action: ALLOW
  rules:
  - from:
    - source:
        principals: ["cluster.local/ns/${space(shape, index + 1)}/sa/${name((index * 7) % shape.services)}"]
    to:
    - operation:
        methods: ["GET"]
        paths: ["${path}"]
`;
}

export const isRouted = (index: number): boolean => index % ROUTED_EVERY === 0;
export const hasPods = (index: number): boolean => index % 2 === 0;

export interface MeshFile {
  readonly path: string;
  readonly documents: readonly string[];
}

function* folder(shape: Shape): Generator<MeshFile> {
  const spaces = Array.from({ length: shape.namespaces }, (_, at) => space(shape, at));
  yield {
    path: 'namespaces.yaml',
    documents: spaces.map((one) => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${one}\n`),
  };
  for (let index = 0; index < shape.services; index++) {
    const path = `${space(shape, index)}/${name(index)}`;
    yield { path: `${path}.yaml`, documents: hasPods(index) ? pods(shape, index) : [entry(shape, index)] };
    if (!isRouted(index)) continue;
    yield { path: `${path}-rule.yaml`, documents: [rule(shape, index)] };
    yield { path: `${path}-routes.yaml`, documents: [routes(shape, index, 50)] };
  }
  for (let index = 0; index < shape.policies; index++)
    yield {
      path: `${space(shape, index % shape.services)}/policy-${String(index)}.yaml`,
      documents: [policy(shape, index, '/api')],
    };
}

/** What each change of the benchmark writes anew. */
export const routesPath = (shape: Shape, index: number): string => `${space(shape, index)}/${name(index)}-routes.yaml`;
export const servicePath = (shape: Shape, index: number): string => `${space(shape, index)}/${name(index)}.yaml`;
export const policyPath = (shape: Shape, index: number): string =>
  `${space(shape, index % shape.services)}/policy-${String(index)}.yaml`;
export const WHOLE = 'mesh.yaml';

/** Writes the mesh; gives the bytes written. */
export function writeMesh(root: string, shape: Shape): number {
  const all = [...folder(shape)];
  const files: readonly MeshFile[] =
    shape.files === 'folder' ? all : [{ path: WHOLE, documents: all.flatMap(({ documents }) => documents) }];
  let bytes = 0;
  const made = new Set<string>();
  for (const { path, documents } of files) {
    const file = join(root, path);
    if (!made.has(dirname(file))) mkdirSync(dirname(file), { recursive: true });
    made.add(dirname(file));
    const text = documents.join('---\n');
    bytes += text.length;
    writeFileSync(file, text);
  }
  return bytes;
}

/** Replaces a file at once, as `gatehouse apply` does. */
export function replace(root: string, path: string, text: string): void {
  const fresh = join(root, `${path}.new`);
  writeFileSync(fresh, text);
  renameSync(fresh, join(root, path));
}
