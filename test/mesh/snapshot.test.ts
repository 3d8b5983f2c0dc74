import assert from 'node:assert/strict';
import { endpointsOf } from '../../mesh/model/endpoints.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import { TestFolder } from './folder.ts';

const MESH = `apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http-main, port: 80, targetPort: main}, {name: tcp, port: 90, targetPort: 9000}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: mysql, port: 3306}]}
---
apiVersion: v1
kind: Service
metadata: {name: fixed, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{name: grpc, port: 7000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-v1, namespace: shop}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: web, version: v1}}
    spec:
      serviceAccountName: web
      containers:
      - {name: web, image: "web:1", ports: [{name: main, containerPort: 8080}]}
      strangeButFine: true
`;
const pod = (name: string, owner: string, address: string, more = ''): string => `---
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: shop
  labels: {app: web, version: v1, security.istio.io/tlsMode: istio}
  annotations: {${more}}
${owner === '' ? '' : `  ownerReferences: [${owner}]\n`}spec: {serviceAccountName: web, containers: [{name: web, image: "web:1", ports: [{name: main, containerPort: 8080}]}]}
status: {podIP: ${address}, phase: Running, conditions: [{type: Ready, status: "True"}]}
`;

describe('snapshot', () => {
  let folder: TestFolder;
  beforeEach(() => {
    folder = new TestFolder();
  });
  afterEach(() => folder.dispose());

  it('a Deployment without Pods is a workload without instances, or with a made-up one when asked', () => {
    folder.write('mesh.yaml', MESH);
    const [workload] = loadMesh({ paths: [folder.path] }).snapshot.workloads;
    assert.equal(workload?.name, 'web-v1');
    assert.equal(workload.replicas, 2);
    assert.equal(workload.serviceAccount, 'web');
    assert.deepEqual(workload.instances, []);
    const assumed = loadMesh({ paths: [folder.path], assumePods: true }).snapshot;
    assert.deepEqual(
      assumed.workloads[0]?.instances.map(({ address }) => address),
      ['10.0.0.1'],
    );
  });

  it('Pods belong to the Deployment that owns them, by itself or by its ReplicaSet; others stand alone', () => {
    folder.write(
      'mesh.yaml',
      MESH +
        pod('web-v1-1', '{kind: Deployment, name: web-v1}', '10.1.0.1') +
        pod(
          'web-v1-6d4f-x',
          '{kind: ReplicaSet, name: web-v1-6d4f}',
          '10.1.0.2',
          'gatehouse.dev/capture: explicit, gatehouse.dev/app-address: 127.11.0.2',
        ) +
        pod('lonely', '', '10.1.0.3'),
    );
    const { snapshot, diagnostics } = loadMesh({ paths: [folder.path] });
    assert.deepEqual(diagnostics, []);
    const [lonely, web] = snapshot.workloads;
    assert.deepEqual([lonely?.name, web?.name], ['lonely', 'web-v1']);
    assert.deepEqual(
      web?.instances.map(({ address, capture, meshed }) => [address, capture.kind, meshed]),
      [
        ['10.1.0.1', 'redirect', true],
        ['10.1.0.2', 'explicit', true],
      ],
    );
    const service = snapshot.services.find(({ meta }) => meta.name === 'web');
    const port = service?.ports[0];
    assert.ok(service !== undefined && port !== undefined);
    assert.deepEqual(
      endpointsOf(snapshot, service, port)
        .map((endpoint) => `${endpoint.address}:${endpoint.port}`)
        .toSorted(),
      ['10.1.0.1:8080', '10.1.0.2:8080', '10.1.0.3:8080'],
    );
  });

  it('gives an address to each Service that wants one, and reads protocols as Istio does', () => {
    folder.write('mesh.yaml', MESH);
    const { services } = loadMesh({ paths: [folder.path] }).snapshot;
    const named = Object.fromEntries(services.map((service) => [service.meta.name, service]));
    assert.match(named['web']?.addresses[0] ?? '', /^240\.240\./);
    assert.deepEqual(named['db']?.addresses, []);
    assert.deepEqual(named['fixed']?.addresses, ['10.96.0.7']);
    assert.deepEqual(services.flatMap(({ ports }) => ports.map(({ name, protocol }) => `${name} ${protocol}`)).toSorted(), [
      'grpc grpc',
      'http-main http',
      'mysql tcp',
      'tcp tcp',
    ]);
  });

  it('is frozen', () => {
    folder.write('mesh.yaml', MESH);
    const { snapshot } = loadMesh({ paths: [folder.path] });
    assert.ok(
      Object.isFrozen(snapshot) &&
        Object.isFrozen(snapshot.services) &&
        Object.isFrozen(snapshot.services[0]?.ports[0]) &&
        Object.isFrozen(snapshot.workloads[0]),
    );
  });

  it('a mesh configuration with an error is an error; its fields are honoured otherwise', () => {
    folder.write('mesh/mesh.yaml', MESH);
    const config = folder.write(
      'config.yaml',
      'trustDomain: example.org\nrootNamespace: mesh-root\npathNormalization: {normalization: MERGE_SLASHES}\noutboundTrafficPolicy: {mode: REGISTRY_ONLY}\nenablePrometheusMerge: true\n',
    );
    const { snapshot, diagnostics } = loadMesh({ paths: [folder.at('mesh')], meshConfigFile: config });
    const { trustDomain, rootNamespace, pathNormalization, outboundTrafficPolicy } = snapshot.meshConfig;
    assert.deepEqual(
      [trustDomain, rootNamespace, pathNormalization, outboundTrafficPolicy],
      ['example.org', 'mesh-root', 'MERGE_SLASHES', 'REGISTRY_ONLY'],
    );
    assert.deepEqual(
      diagnostics.map(({ line, severity, code }) => `${line} ${severity} ${code}`),
      ['5 warning not-yet-applied'],
    );
    folder.write('config.yaml', 'trustDomian: example.org\n');
    assert.match(loadMesh({ paths: [], meshConfigFile: config }).diagnostics[0]?.hint ?? '', /trustDomain/);
  });
});
