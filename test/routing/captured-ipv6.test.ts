// Pods with IPv6 addresses, alone or beside IPv4, whose traffic is captured: the real Envoy, real rules of both families.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { TestAuthority } from '../audit/envoy/certificates.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import type { Question } from './envoy/captured-servers.ts';
import { capturedOrSkip, inCapturedPod } from './envoy/captured-run.ts';

const PORTS = { http: 8000, tcp: 8002 };
const OWN = { v4: '10.9.0.1', v6: 'fd09::1' };
const OTHER = { v4: '10.9.0.11', v6: 'fd09::11' };
const OUTSIDE = { v4: '10.9.0.21', v6: 'fd09::21' };
const VIRTUAL = { v4: '10.96.0.7', v6: 'fd96::7' };
const TWIN = { v4: '10.96.0.8', v6: 'fd96::8' };

const podIps = (addresses: readonly string[]) =>
  `podIP: "${addresses[0]}", podIPs: [${addresses.map((ip) => `{ip: "${ip}"}`).join(', ')}]`;

/** A Service of both families in front of another pod, one in front of the pod itself, and a headless one. */
const mesh = (own: readonly string[], mode: string) => `
apiVersion: v1
kind: Service
metadata: {name: other, namespace: shop}
spec:
  clusterIP: ${VIRTUAL.v4}
  clusterIPs: [${VIRTUAL.v4}, "${VIRTUAL.v6}"]
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: RequireDualStack
  selector: {app: other}
  ports: [{name: http, port: 80, targetPort: ${PORTS.http}}, {name: tcp, port: 90, targetPort: ${PORTS.tcp}}]
---
apiVersion: v1
kind: Service
metadata: {name: only, namespace: shop}
spec:
  clusterIP: "fd96::9"
  clusterIPs: ["fd96::9"]
  ipFamilies: [IPv6]
  selector: {app: other}
  ports: [{name: http, port: 80, targetPort: ${PORTS.http}}, {name: tcp, port: 90, targetPort: ${PORTS.tcp}}]
---
apiVersion: v1
kind: Service
metadata: {name: direct, namespace: shop}
spec: {clusterIP: None, ipFamilies: [IPv4, IPv6], selector: {app: other}, ports: [{name: tcp, port: ${PORTS.tcp}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: other, namespace: shop, labels: {app: other}}
spec: {containers: [{name: app}]}
status: {${podIps(own.length > 1 ? [OTHER.v4, OTHER.v6] : [OTHER.v6])}, phase: Running}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIPs: [${TWIN.v4}, "${TWIN.v6}"]
  ipFamilies: [IPv4, IPv6]
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: ${PORTS.http}}, {name: tcp, port: 90, targetPort: ${PORTS.tcp}}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, security.istio.io/tlsMode: istio}}
spec: {containers: [{name: app}]}
status: {${podIps(own)}, phase: Running}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: ${mode}}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
`;

const IDENTITY = 'spiffe://cluster.local/ns/shop/sa/default';

/** Rules of ip6tables need a kernel with NAT for IPv6. */
function nat6OrSkip(context: Mocha.Context): void {
  try {
    execFileSync(
      'unshare',
      ['--net', 'sh', '-c', 'ip link set lo up && ip -6 addr show lo | grep -q ::1 && ip6tables -t nat -L -n'],
      {
        stdio: 'ignore',
      },
    );
  } catch {
    context.skip();
  }
}

describe('IPv6 in captured pods in the real Envoy', function () {
  this.timeout(60_000);
  let authority: TestAuthority;

  before(async function () {
    capturedOrSkip(this);
    nat6OrSkip(this);
    authority = await TestAuthority.create();
  });

  async function ask(
    own: readonly string[],
    mode: string,
    questions: readonly (Question & { readonly from?: 'outside' })[],
  ): Promise<readonly unknown[]> {
    const compiled = compiledFor(snapshotOf(mesh(own, mode)), 'shop/web');
    const both = own.length > 1;
    const others = {
      other: both ? [OTHER.v4, OTHER.v6] : [OTHER.v6],
      outside: both ? [OUTSIDE.v4, OUTSIDE.v6] : [OUTSIDE.v6],
    };
    return inCapturedPod(compiled, IDENTITY, authority, { own, others, ports: PORTS, hosts: [], questions });
  }
  const http = (address: string, port: number, host?: string): Question => ({
    kind: 'http',
    address,
    port,
    ...(host === undefined ? {} : { host }),
  });
  const tcp = (address: string, port: number): Question => ({ kind: 'tcp', address, port });
  const from = (question: Question) => ({ ...question, from: 'outside' as const });

  for (const own of [[OWN.v6], [OWN.v4, OWN.v6]]) {
    const title = own.length > 1 ? 'of both families' : 'of IPv6 alone';

    it(`a pod ${title} calls Services at their addresses, itself over mutual TLS, and nobody else`, async () => {
      const answers = await ask(own, 'STRICT', [
        http(VIRTUAL.v6, 80),
        http(VIRTUAL.v6, 80, 'other.shop'),
        http('fd96::9', 80),
        tcp(VIRTUAL.v6, 90),
        tcp('fd96::9', 90),
        http(TWIN.v6, 80),
        tcp(TWIN.v6, 90),
        tcp(OTHER.v6, PORTS.tcp),
        tcp(OUTSIDE.v6, PORTS.tcp),
        http(OUTSIDE.v6, PORTS.http),
        ...(own.length > 1 ? [http(VIRTUAL.v4, 80), tcp(VIRTUAL.v4, 90), http(TWIN.v4, 80), tcp(OUTSIDE.v4, PORTS.tcp)] : []),
      ]);
      const itself = `application ${IDENTITY}`;
      assert.deepEqual(answers, [
        ...['other', 'other', 'other', 'other', 'other', itself, 'application', 'other', 'closed', 'closed'],
        ...(own.length > 1 ? ['other', 'other', itself, 'closed'] : []),
      ]);
    });

    it(`plain text to a pod ${title} is taken where the mode lets it, on every port and address`, async () => {
      const questions = own.flatMap((address) => [from(http(address, PORTS.http)), from(tcp(address, PORTS.tcp))]);
      assert.deepEqual(
        await ask(own, 'PERMISSIVE', questions),
        questions.map(() => 'application'),
      );
      assert.deepEqual(
        await ask(own, 'STRICT', [...questions, ...own.map((address) => from(http(address, 15_006)))]),
        [...questions, ...own].map(() => 'closed'),
      );
    });
  }

  it('a port that no Service names is taken in as well', async () => {
    const unnamed = (yaml: string) =>
      yaml.replaceAll(`targetPort: ${PORTS.http}`, 'targetPort: 9999').replaceAll(`targetPort: ${PORTS.tcp}`, 'targetPort: 9998');
    for (const own of [[OWN.v6], [OWN.v4, OWN.v6]]) {
      const compiled = compiledFor(snapshotOf(unnamed(mesh(own, 'PERMISSIVE'))), 'shop/web');
      const questions = own.flatMap((address) => [from(http(address, PORTS.http)), from(tcp(address, PORTS.tcp))]);
      const world = { own, others: { outside: [OUTSIDE.v4, OUTSIDE.v6] }, ports: PORTS, hosts: [], questions };
      assert.deepEqual(
        await inCapturedPod(compiled, IDENTITY, authority, world),
        questions.map(() => 'application'),
      );
    }
  });
});
