import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { agentConfig } from '../../cli/up/agent-config.ts';
import { environmentsIn } from '../../cli/up/container.ts';
import { gatewayObjects } from '../../cli/up/gateway-objects.ts';
import { startedGateways } from '../../cli/up/gateway-ports.ts';
import { parseImageTable } from '../../cli/up/images.ts';
import { hostsFile } from '../../cli/up/netns/hosts.ts';
import { planPods } from '../../cli/up/plan.ts';
import { podObject } from '../../cli/up/pod-object.ts';
import type { Placement } from '../../cli/up/place.ts';
import { Slots } from '../../cli/up/slots.ts';
import { exampleRequests } from '../../cli/up/requests.ts';
import { judge } from '../../mesh/gateway-api/status/judge.ts';
import { parseConfig } from '../../sds/agent/parse-config.ts';
import { snapshotOf } from './snapshot.ts';

const IMAGES = parseImageTable('images: {shop/cart: {command: node cart.js, env: {SERVICE: cart}}}', '/apps');
assert.ok(IMAGES.ok);
const images = IMAGES.value;

const CART = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart, version: v2}}
    spec:
      serviceAccountName: cart-account
      containers:
      - name: cart
        image: shop/cart:v2
        ports: [{containerPort: 8080, name: http}]
        env:
        - {name: GREETING, value: hello}
        - {name: PORT, value: "1"}
        - {name: ME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: SECRET, valueFrom: {secretKeyRef: {name: s, key: k}}}
`;
const UNKNOWN = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: pay, namespace: shop}
spec:
  selector: {matchLabels: {app: pay}}
  template:
    metadata: {labels: {app: pay}}
    spec: {containers: [{name: pay, image: "example.org/pay:3"}]}
`;
const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: shop}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
  - {port: {number: 8443, name: http2, protocol: HTTP}, hosts: ["*"]}
`;

function planOf(text: string) {
  const { pods, ...rest } = plan(text);
  return { pods: pods.filter(({ kind }) => kind !== 'router'), ...rest };
}

function plan(text: string, placement: Placement = { kind: 'explicit', block: 10 }) {
  const snapshot = snapshotOf(text);
  const slots = new Slots();
  return planPods({
    snapshot,
    images,
    environments: environmentsIn(text),
    placement,
    gateways: startedGateways(snapshot, 8080, [], undefined),
    slotOf: (pod) => slots.take(pod),
    socketOf: (namespace, pod) => `/run/${namespace}.${pod}/sds.sock`,
  });
}

describe('gatehouse up: example requests', () => {
  it('come from the routes of Gateways', () => {
    const route = (name: string, host: string, uri: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: shop}
spec:
  hosts: ["${host}"]
  gateways: [g]
  http:
  - match: [{uri: {exact: "/"}}, {uri: {prefix: "${uri}"}}]
    route: [{destination: {host: cart}}]
`;
    const text = [GATEWAY, route('a', '*', '/app'), route('b', 'cart.example.org', "/it's"), route('c', '*.example.org', '/x')];
    assert.deepEqual(exampleRequests(snapshotOf(text.join('---')), '127.0.0.1:8080'), [
      'curl -i http://127.0.0.1:8080/app',
      "curl -i -H 'Host: any.example.org' http://127.0.0.1:8080/x",
    ]);
  });
});

describe('gatehouse up: plan', () => {
  it('makes a pod for each replica, with addresses and environment of its own', () => {
    const { pods, diagnostics } = planOf(CART);
    assert.deepEqual(diagnostics, []);
    assert.deepEqual(
      pods.map(({ name, ip, appAddress, serviceAccount, kind }) => ({ name, ip, appAddress, serviceAccount, kind })),
      [
        { name: 'cart-1', ip: '127.10.0.1', appAddress: '127.11.0.1', serviceAccount: 'cart-account', kind: 'sidecar' },
        { name: 'cart-2', ip: '127.10.0.2', appAddress: '127.11.0.2', serviceAccount: 'cart-account', kind: 'sidecar' },
      ],
    );
    assert.deepEqual(pods[1]?.application, {
      command: ['node', 'cart.js'],
      cwd: '/apps',
      env: {
        VERSION: 'v2',
        SERVICE: 'cart',
        GREETING: 'hello',
        ME: 'cart-2',
        POD_NAME: 'cart-2',
        POD_NAMESPACE: 'shop',
        POD_IP: '127.10.0.2',
        SERVICE_ACCOUNT: 'cart-account',
        HOST: '127.11.0.2',
        PORT: '8080',
        SPIFFE_ENDPOINT_SOCKET: 'unix:///run/shop.cart-2/sds.sock',
        HTTP_PROXY: 'http://127.11.0.2:15001',
        http_proxy: 'http://127.11.0.2:15001',
      },
    });
  });

  it('runs the others when an image is unknown, and says what to do about that one', () => {
    const { pods, diagnostics } = planOf(`${CART}---${UNKNOWN}`);
    assert.equal(pods.length, 2);
    assert.equal(diagnostics.length, 1);
    const [found] = diagnostics;
    assert.equal(found?.object, 'Deployment shop/pay');
    assert.equal(found.severity, 'error');
    assert.match(found.message, /example\.org\/pay:3/);
    assert.match(found.hint ?? '', /--image 'example\.org\/pay:3=COMMAND'/);
    assert.ok(found.line > 20, `line ${found.line}`);
  });

  it('adds a gateway, also where no Gateway is yet, and none where the folder has its own', () => {
    const added = plan(`${CART}---${GATEWAY}`);
    assert.equal(added.addsGateway, true);
    const gateway = added.pods.at(-1);
    assert.equal(gateway?.name, 'istio-ingressgateway-1');
    assert.equal(gateway.kind, 'router');
    assert.equal(gateway.application, undefined);
    assert.equal(plan(CART).addsGateway, true);
    const own = `${UNKNOWN.replaceAll('pay', 'door').replace('{app: door}}\n    spec', '{app: door, istio: ingressgateway}}\n    spec')}---${GATEWAY}`;
    const owned = plan(own);
    assert.equal(owned.addsGateway, false);
    assert.deepEqual(owned.diagnostics, []);
    assert.deepEqual(
      owned.pods.map(({ name, kind }) => [name, kind]),
      [['door-1', 'router']],
    );
  });

  it('gives pods network namespaces, and the gateway none', () => {
    const { pods } = plan(`${CART}---${GATEWAY}`, { kind: 'netns', number: 3, subnet: 187, ipv6: false });
    assert.deepEqual(
      pods.map(({ name, ip, appAddress, netns }) => [name, ip, appAddress, netns]),
      [
        ['cart-1', '10.187.0.2', '10.187.0.2', 'gh3-1'],
        ['cart-2', '10.187.0.3', '10.187.0.3', 'gh3-2'],
        ['istio-ingressgateway-1', '10.187.0.4', '10.187.0.4', undefined],
      ],
    );
    const env = pods[0]?.application?.env;
    assert.equal(env?.['HOST'], '0.0.0.0');
    assert.equal(env['HTTP_PROXY'], undefined);
  });

  it('gives a pod that opts out of injection no proxy', () => {
    const { pods } = plan(CART.replace('version: v2}', 'version: v2, sidecar.istio.io/inject: "false"}'));
    assert.equal(pods[0]?.kind, 'plain');
    assert.equal(pods[0].appAddress, '127.10.0.1');
    assert.equal(pods[0].application?.env['HTTP_PROXY'], undefined);
    const object: unknown = parse(podObject(pods[0], 'explicit', true));
    assert.ok(!JSON.stringify(object).includes('tlsMode'));
  });

  it('writes Pods that admission reads back as instances of the Deployment', () => {
    const [pod] = plan(CART).pods;
    assert.ok(pod);
    const snapshot = snapshotOf(`${CART}---\n${podObject(pod, 'explicit', true)}`);
    const workload = snapshot.workloads.find(({ name }) => name === 'cart');
    assert.equal(workload?.instances.length, 1);
    const [instance] = workload.instances;
    assert.equal(instance?.address, '127.10.0.1');
    assert.equal(instance.ready, true);
    assert.equal(instance.meshed, true);
    assert.deepEqual(instance.capture, { kind: 'explicit', appAddress: '127.11.0.1' });
    const waiting = snapshotOf(`${CART}---\n${podObject(pod, 'netns', false)}`).workloads.find(({ name }) => name === 'cart');
    assert.equal(waiting?.instances[0]?.ready, false);
    assert.deepEqual(waiting.instances[0].capture, { kind: 'redirect' });
  });

  it('runs a StatefulSet with its own names, a Job, a DaemonSet and a ReplicaSet, and no CronJob', () => {
    const of = (kind: string) => CART.replace('kind: Deployment', `kind: ${kind}`);
    const job = of('Job').replace('apps/v1', 'batch/v1');
    const cron = `
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {containers: [{name: app, image: shop/cart}]}}}}}
`;
    const namesOf = (yaml: string) =>
      plan(yaml)
        .pods.filter(({ kind }) => kind !== 'router')
        .map(({ name }) => name);
    assert.deepEqual(namesOf(of('StatefulSet')), ['cart-0', 'cart-1']);
    assert.deepEqual(namesOf(of('ReplicaSet')), ['cart-1', 'cart-2']);
    assert.deepEqual(namesOf(of('DaemonSet')), ['cart-1']);
    assert.deepEqual(namesOf(job), ['cart-1']);
    assert.deepEqual(namesOf(cron), []);
    const [pod] = plan(of('StatefulSet')).pods;
    assert.ok(pod);
    const headless =
      'apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop}\nspec: {clusterIP: None, selector: {app: cart}, ports: [{name: http, port: 8080}]}\n';
    const snapshot = snapshotOf(`${of('StatefulSet')}---\n${podObject(pod, 'netns', true)}---\n${headless}`);
    const [instance] = snapshot.workloads.find(({ name }) => name === 'cart')?.instances ?? [];
    assert.equal(instance?.hostname, 'cart-0');
    assert.match(
      hostsFile(snapshot, 'shop', { name: 'x', ip: '10.0.0.9' }, [pod]),
      /^127\.10\.0\.1 cart-0\.cart\.shop\.svc\.cluster\.local .*cart-0\.cart .*cart$/m,
    );
  });

  it('writes a gateway that admission takes, with 80 on the port that is bound', () => {
    const snapshot = snapshotOf(`${GATEWAY}---\n${gatewayObjects(startedGateways(snapshotOf(GATEWAY), 8080, [], undefined))}`);
    const service = snapshot.services.find(({ hostname }) => hostname === 'istio-ingressgateway.istio-system.svc.cluster.local');
    assert.deepEqual(
      service?.ports.map(({ port, targetPort }) => [port, targetPort]),
      [
        [80, 8080],
        [8443, 8443],
      ],
    );
  });

  it('starts a proxy for each Gateway of the Gateway API that has none, under the names of Istio', () => {
    const api = (name: string, ports: readonly number[], className = 'gatehouse') => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: shop}
spec:
  gatewayClassName: ${className}
  listeners:
${ports.map((port) => `  - {name: p${port}, port: ${port}, protocol: HTTP}`).join('\n')}
---`;
    const found = plan(`${api('edge', [80, 443])}${api('other', [80], 'nginx')}\n${CART}`);
    assert.deepEqual(
      found.pods
        .filter(({ kind }) => kind === 'router')
        .map(({ namespace, name, serviceAccount, ports }) => [namespace, name, serviceAccount, ports.map(({ port }) => port)]),
      [
        ['istio-system', 'istio-ingressgateway-1', 'istio-ingressgateway-service-account', []],
        ['shop', 'edge-gatehouse-1', 'edge-gatehouse', [8080, 8443]],
      ],
      "without a Gateway of Istio's the gateway's port is the first one's",
    );
    const both = startedGateways(snapshotOf(`${api('edge', [80])}${api('more', [80])}\n${GATEWAY}`), 8080, [], undefined);
    assert.deepEqual(
      both.map(({ ports }) => ports.map(({ port, bound }) => `${port}:${bound}`)),
      [['80:8080', '8443:8443'], ['80:8081'], ['80:8082']],
    );
    const labels = '{gateway.networking.k8s.io/gateway-name: edge}';
    const own = CART.replaceAll('{app: cart, version: v2}', labels).replaceAll('{app: cart}', labels);
    assert.deepEqual(
      startedGateways(snapshotOf(`${api('edge', [80])}\n${own}`), 8080, [], undefined).length,
      1,
      'it has a proxy',
    );
    const written = snapshotOf(
      `${api('edge', [80])}\n${gatewayObjects(startedGateways(snapshotOf(api('edge', [80])), 8080, [], undefined))}`,
    );
    const { statuses } = judge(written, () => 'unknown');
    assert.deepEqual(
      statuses.flatMap(({ problems }) => problems.map(({ reason }) => reason)),
      ['AddressNotAssigned'],
      'until its pod is there',
    );
  });

  it('writes a configuration that the agent takes', () => {
    const { pods } = plan(`${CART}---${GATEWAY}`, { kind: 'netns', number: 3, subnet: 187, ipv6: false });
    const text = agentConfig(
      {
        controlPlane: { address: '127.0.0.1:20000', serverName: 'gatehouse', rootCert: '/r/root-cert.pem' },
        addressFromNetns: '10.187.0.1:20000',
        trustDomain: 'cluster.local',
        domain: 'cluster.local',
        runDir: '/r/agent',
        envoy: '/bin/envoy',
        certificateTtl: '24h',
        tokenFile: (pod) => `/r/tokens/${pod.name}`,
        startOf: ({ namespace }) =>
          namespace === 'shop' ? { concurrency: 0, environment: { STAGE: 'true' } } : { concurrency: undefined, environment: {} },
      },
      pods,
    );
    const result = parseConfig(text, '/r/agent.yaml');
    assert.ok(result.ok, JSON.stringify(result));
    const [gateway, cart] = result.config.workloads;
    assert.equal(cart?.id, 'spiffe://cluster.local/ns/shop/sa/cart-account');
    assert.equal(cart.controlPlane.host, '10.187.0.1');
    assert.deepEqual(cart.envoy?.owner, { uid: 1337, gid: 1337 });
    assert.deepEqual([cart.envoy.concurrency, cart.envoy.environment], [0, { STAGE: 'true' }]);
    assert.equal(gateway?.node.kind, 'router');
    assert.deepEqual([gateway.envoy?.concurrency, gateway.envoy?.environment], [1, undefined]);
    assert.equal(gateway.controlPlane.host, '127.0.0.1');
  });
});
