// What a pod's proxy does with captured traffic toward other machines: the real Envoy, real rules, servers at the other end of a cable.
import assert from 'node:assert/strict';
import { TestAuthority } from '../audit/envoy/certificates.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { capturedOrSkip, inCapturedPod } from './envoy/captured-run.ts';

const PORTS = { http: 8000, tcp: 8002 };
const CALLER = '10.9.0.1';
const PODS = ['10.9.0.11', '10.9.0.12', '10.9.0.13'] as const;
const OUTSIDE = '10.9.0.21';
/** Where nobody is: what is asked for there is answered only by who is found in another way. */
const NOBODY = '10.9.0.99';

const caller = `
apiVersion: v1
kind: Pod
metadata: {name: caller, namespace: shop, labels: {app: caller, security.istio.io/tlsMode: istio}}
spec: {containers: [{name: app}]}
status: {podIP: ${CALLER}, phase: Running}
---`;

const headless = `${caller}
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: tcp, port: ${PORTS.tcp}}]}
---
${PODS.map(
  (address, at) => `
apiVersion: v1
kind: Pod
metadata: {name: db-${at}, namespace: shop, labels: {app: db}, ownerReferences: [{kind: StatefulSet, name: db}]}
spec: {containers: [{name: app}]}
status: {podIP: ${address}, phase: Running}
---`,
).join('')}`;

describe('captured traffic to other machines in the real Envoy', function () {
  this.timeout(60_000);
  let authority: TestAuthority;

  before(async function () {
    capturedOrSkip(this);
    authority = await TestAuthority.create();
  });

  const identity = 'spiffe://cluster.local/ns/shop/sa/default';
  const others = { 'db-0': [PODS[0]], 'db-1': [PODS[1]], 'db-2': [PODS[2]], outside: [OUTSIDE] };

  it('TCP to a pod of a headless Service goes to that pod and no other', async () => {
    const compiled = compiledFor(snapshotOf(headless, { outboundTrafficPolicy: 'REGISTRY_ONLY' }), 'shop/caller');
    const times = 6;
    const questions = Array.from({ length: times }, () =>
      PODS.map((address) => ({ kind: 'tcp' as const, address, port: PORTS.tcp })),
    ).flat();
    const unknown = { kind: 'tcp' as const, address: OUTSIDE, port: PORTS.tcp };
    const world = { own: [CALLER], others, ports: PORTS, hosts: [], questions: [...questions, unknown] };
    assert.deepEqual(await inCapturedPod(compiled, identity, authority, world), [
      ...Array.from({ length: times }, () => ['db-0', 'db-1', 'db-2']).flat(),
      // Nothing else lets it out: it is the pods' listeners that did.
      'closed',
    ]);
  });

  it('ALLOW_ANY_DYNAMIC_DNS finds HTTP by its host, whatever address was called, and passes on the rest', async () => {
    const compiled = compiledFor(snapshotOf(caller, { outboundTrafficPolicy: 'ALLOW_ANY_DYNAMIC_DNS' }), 'shop/caller');
    const http = (address: string, host?: string) => ({
      kind: 'http' as const,
      address,
      port: PORTS.http,
      ...(host === undefined ? {} : { host }),
    });
    const answers = await inCapturedPod(compiled, identity, authority, {
      own: [CALLER],
      others,
      ports: PORTS,
      hosts: [`${OUTSIDE} outside.test`, `${PODS[0]} other.test`],
      questions: [
        http(NOBODY, `outside.test:${PORTS.http}`),
        http(OUTSIDE, `other.test:${PORTS.http}`),
        http(NOBODY, OUTSIDE + `:${PORTS.http}`),
        http(OUTSIDE, 'nowhere.test'),
        // Not to itself.
        http(NOBODY, `${CALLER}:15001`),
        { kind: 'tcp', address: OUTSIDE, port: PORTS.tcp },
        { kind: 'tcp', address: NOBODY, port: PORTS.tcp },
      ],
    });
    assert.deepEqual(answers, ['outside', 'db-0', 'outside', 'proxy 503', 'proxy 503', 'outside', 'closed']);
  });
});
