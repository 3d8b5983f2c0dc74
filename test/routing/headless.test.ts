import assert from 'node:assert/strict';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { TcpProxySchema } from '#gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Envoy, envoyOrSkip } from '../audit/envoy/process.ts';
import { compiledFor, snapshotOf } from './compiled.ts';
import { call } from './envoy/call.ts';
import { startStaticProxy } from './envoy/static-proxy.ts';
import { freePort, startUpstream, type Upstream } from './envoy/upstream.ts';

const PODS = ['127.20.2.1', '127.20.2.2', '127.20.2.3'] as const;
const CALLER = '127.20.2.9';

const mesh = (port: number) => `
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: http, port: ${port}}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec: {serviceName: db, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: app}]}}}
---
${PODS.map(
  (address, at) => `
apiVersion: v1
kind: Pod
metadata: {name: db-${at}, namespace: shop, labels: {app: db}, ownerReferences: [{kind: StatefulSet, name: db}]}
spec: {containers: [{name: app}]}
status: {podIP: ${address}, phase: Running}
---`,
).join('')}
apiVersion: v1
kind: Pod
metadata:
  name: caller
  namespace: shop
  annotations: {gatehouse.dev/capture: explicit, gatehouse.dev/app-address: ${CALLER}}
spec: {containers: [{name: app}]}
status: {podIP: 127.20.2.8, phase: Running}
---`;

describe('pods of a headless Service by their own names in the real Envoy', () => {
  const upstreams: Upstream[] = [];
  let envoy: Envoy | undefined;
  let folder = '';
  let port = 0;

  before(async function () {
    this.timeout(60_000);
    const path = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-'));
    port = await freePort();
    for (const [at, address] of PODS.entries()) upstreams.push(await startUpstream(`db-${at}`, address, port));
    const compiled = compiledFor(snapshotOf(mesh(port)), 'shop/caller');
    envoy = await startStaticProxy({ envoy: path, compiled, folder, account: 'shop/default' });
  });

  after(async () => {
    await envoy?.stop();
    await Promise.all(upstreams.map((one) => one.close()));
    if (folder !== '') rmSync(folder, { recursive: true });
  });

  const ask = (host: string) => call(undefined, CALLER, 15_001, `${host}:${port}`, '/');

  for (const form of ['db', 'db.shop', 'db.shop.svc', 'db.shop.svc.cluster.local']) {
    it(`db-N.${form} is that pod and no other`, async () => {
      for (const at of PODS.keys())
        for (let times = 0; times < 4; times++) assert.equal((await ask(`db-${at}.${form}`)).server, `db-${at}`);
    });
  }

  it('the name of the Service is any of them', async () => {
    const seen = new Set<string | undefined>();
    for (let times = 0; times < 60; times++) seen.add((await ask('db')).server);
    assert.deepEqual([...seen].sort(), ['db-0', 'db-1', 'db-2']);
  });
});

describe('TCP to a pod of a headless Service', () => {
  it('goes to the pod whose address was called', () => {
    const captured = mesh(7000)
      .replace(/annotations: .*/, 'labels: {app: caller}')
      .replace('name: http', 'name: tcp');
    const { listeners, clusters } = compiledFor(snapshotOf(captured), 'shop/caller');
    const chosen = PODS.map((address) => {
      const listener = listeners.find(({ name }) => name === `${address}_7000`);
      const config = listener?.filterChains[0]?.filters[0]?.configType;
      assert.ok(config?.case === 'typedConfig');
      return anyUnpack(config.value, TcpProxySchema)?.metadataMatch?.filterMetadata['envoy.lb'];
    });
    assert.deepEqual(
      chosen,
      PODS.map((address) => ({ address })),
    );
    const cluster = clusters.find(({ name }) => name === 'outbound|7000||db.shop.svc.cluster.local');
    assert.deepEqual(
      cluster?.lbSubsetConfig?.subsetSelectors.map(({ keys }) => keys),
      [['hostname'], ['address']],
    );
  });
});
