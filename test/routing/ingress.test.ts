import assert from 'node:assert/strict';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { type GatewayMesh, startGatewayMesh } from './envoy/gateway-mesh.ts';
import { compiledFor, snapshotOf } from './compiled.ts';

const SERVICES = `
apiVersion: v1
kind: Service
metadata: {name: one, namespace: default}
spec: {selector: {app: app, version: v1}, ports: [{name: http, port: 8000, targetPort: TARGET}]}
---
apiVersion: v1
kind: Service
metadata: {name: two, namespace: default}
spec: {selector: {app: app, version: v2}, ports: [{name: http-web, port: 8000, targetPort: TARGET}]}
---`;

const to = (service: string, port = 'number: 8000') => `{service: {name: ${service}, port: {${port}}}}`;
const path = (written: string, type: string, service: string, port?: string) =>
  `{path: "${written}", pathType: ${type}, backend: ${to(service, port)}}`;

const ingress = (name: string, spec: string, more = 'annotations: {kubernetes.io/ingress.class: istio}') => `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ${name}, namespace: default, ${more}}
spec: ${spec}
---`;

const RULES = `${ingress(
  'paths',
  `{rules: [{host: paths.test, http: {paths: [
  ${path('/', 'Prefix', 'one')}, ${path('/foo', 'Prefix', 'two')}, ${path('/foo/exact', 'Exact', 'one')}, ${path('/foo/deep/', 'Prefix', 'one')},
  ${path('/old/*', 'ImplementationSpecific', 'two')}, ${path('/named', 'Prefix', 'two', 'name: http-web')}, ${path('/nobody', 'Prefix', 'missing')}]}}]}`,
)}${ingress('wild', `{rules: [{host: "*.wild.test", http: {paths: [${path('/', 'Prefix', 'two')}]}}]}`)}
${ingress('alpha', `{rules: [{host: shared.test, http: {paths: [${path('/alpha', 'Prefix', 'one')}]}}]}`)}
${ingress('beta', `{rules: [{host: shared.test, http: {paths: [${path('/beta', 'Prefix', 'two')}]}}]}`)}
${ingress('default', `{defaultBackend: ${to('two')}, rules: [{host: default.test, http: {paths: [${path('/one', 'Prefix', 'one')}]}}]}`)}
${ingress('nginx', `{rules: [{host: nginx.test, http: {paths: [${path('/', 'Prefix', 'one')}]}}]}`, 'annotations: {kubernetes.io/ingress.class: nginx}')}
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: mesh}
spec: {controller: istio.io/ingress-controller}
---
${ingress('by-class', `{ingressClassName: mesh, rules: [{host: class.test, http: {paths: [${path('/', 'Prefix', 'one')}]}}]}`, '')}
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: old, namespace: default, annotations: {kubernetes.io/ingress.class: istio}}
spec: {rules: [{host: old.test, http: {paths: [{path: /x, backend: {serviceName: one, servicePort: 8000}}]}}]}
---`;

describe('Ingress in the real Envoy', () => {
  let mesh: GatewayMesh | undefined;

  before(async function () {
    this.timeout(60_000);
    const envoy = envoyOrSkip(this);
    mesh = await startGatewayMesh(envoy, (port) => SERVICES.replaceAll('TARGET', String(port)) + RULES);
  });
  after(() => mesh?.close());

  const cases: Readonly<Record<string, readonly (readonly [string, 'v1' | 'v2' | 404 | 503])[]>> = {
    'paths.test': [
      ['/', 'v1'],
      ['/else', 'v1'],
      ['/foo', 'v2'],
      ['/foo/', 'v2'],
      ['/foo/bar', 'v2'],
      ['/foobar', 'v1'],
      ['/foo/exact', 'v1'],
      ['/foo/exact/not', 'v2'],
      ['/foo/deep', 'v1'],
      ['/foo/deep/er', 'v1'],
      ['/foo/deeper', 'v2'],
      ['/old/x', 'v2'],
      ['/named?x=1', 'v2'],
      ['/nobody/at/all', 503],
    ],
    'a.wild.test': [['/x', 'v2']],
    'shared.test': [
      ['/alpha', 'v1'],
      ['/beta', 'v2'],
      ['/gamma', 404],
    ],
    'default.test': [
      ['/one', 'v1'],
      ['/two', 'v2'],
    ],
    'class.test': [['/', 'v1']],
    // The default backend of another Ingress takes what no host of its own has.
    'nginx.test': [['/', 'v2']],
    'old.test': [['/x', 'v1']],
  };
  for (const [host, asked] of Object.entries(cases)) {
    for (const [where, want] of asked) {
      it(`${host}${where}: ${want}`, async () => {
        const { status, server } = (await mesh?.get(host, where)) ?? assert.fail();
        assert.equal(server ?? status, want);
      });
    }
  }
});

describe('Ingress', () => {
  it('opens HTTPS with the Secret beside the gateway, and nothing for other classes', () => {
    const gateway = `
apiVersion: v1
kind: Pod
metadata: {name: ingress, namespace: istio-system, labels: {istio: ingressgateway}}
spec: {containers: [{name: proxy}]}
status: {podIP: 10.0.0.1, phase: Running}
---`;
    const secure = (more?: string) =>
      SERVICES.replaceAll('TARGET', '8080') +
      gateway +
      ingress(
        'a',
        `{tls: [{hosts: [a.test], secretName: a-cert}], rules: [{host: a.test, http: {paths: [${path('/', 'Prefix', 'one')}]}}]}`,
        more,
      );
    const opened = (yaml: string) =>
      compiledFor(snapshotOf(yaml), 'gateway:istio-system/ingress').listeners.map(({ name, filterChains }) => [
        name,
        filterChains.flatMap(({ filterChainMatch }) => filterChainMatch?.serverNames ?? []),
      ]);
    assert.deepEqual(opened(secure()), [
      ['0.0.0.0_80', []],
      ['0.0.0.0_443', ['a.test']],
    ]);
    assert.deepEqual(opened(secure('annotations: {}')), []);
    const [, https] = compiledFor(snapshotOf(secure()), 'gateway:istio-system/ingress').routes;
    assert.equal(https?.name, 'https.443.https-443-ingress-a-default-0.a-istio-autogenerated-k8s-ingress-default.istio-system');
  });
});
