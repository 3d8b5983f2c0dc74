// As arrival.test.ts, on TCP: what marks and asks arrives with the listener, DENY as a resource of its own.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toJson } from '@bufbuild/protobuf';
import { type Filter, FilterSchema } from '#gen/envoy/config/listener/v3/listener_components_pb.js';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import { NOBODY } from '../../../policy/compile/revoked.ts';
import { NO_KEYS } from '../../../policy/jwks/known.ts';
import { EXTENSIONS } from '../../../routing/wire/registry.ts';
import { discoveredSecurity } from '../../../xds/resources/security.ts';
import { type Envoy, envoyOrSkip, startEnvoy } from '../../audit/envoy/process.ts';
import { snapshotOf } from '../../routing/compiled.ts';
import { callTcp } from '../differential/client.ts';
import { policy, port, rule } from '../model.ts';
import { cluster } from './mixes.ts';
import { type GrpcAuthorizer, startGrpcAuthorizer } from './servers.ts';

/** What is said about every connection; `absent` is a provider that is not there. */
const SAID = ['nothing', 'deny', 'rpc', 'other', 'absent'] as const;
type Said = (typeof SAID)[number];

const MESH = `
apiVersion: v1
kind: Service
metadata: {name: authz, namespace: shop}
spec: {selector: {app: authz}, ports: [{name: grpc, port: 9000}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web}]}}
`;

function snapshotFor(said: Said): Snapshot {
  const provider = (name: string) =>
    ({
      kind: 'ext-authz-grpc',
      name,
      service: { namespace: undefined, host: 'authz.shop.svc.cluster.local' },
      port: port(9000),
      timeoutMs: 5000,
      failOpen: false,
      statusOnError: undefined,
      clearRouteCache: false,
      body: undefined,
    }) as const;
  const base = snapshotOf(MESH, { extensionProviders: [provider('rpc'), provider('other')] });
  const named = said === 'deny' ? { action: 'DENY' as const } : { action: 'CUSTOM' as const, provider: said };
  return { ...base, authorizationPolicies: said === 'nothing' ? [] : [policy('shop', 'p', { ...named, rules: [rule({})] })] };
}

/** The filters of a TCP port: those of the listener, and the resources that fill the others. */
function made(said: Said) {
  const snapshot = snapshotFor(said);
  const [workload] = snapshot.workloads;
  assert.ok(workload !== undefined);
  const { security, extensions } = discoveredSecurity(snapshot, workload, NOBODY, NO_KEYS);
  return {
    filters: security.networkFilters(),
    resources: new Map(extensions.map(({ name, typedConfig }) => [name, typedConfig])),
  };
}

interface Mix {
  readonly before: Said;
  readonly after: Said;
  readonly listener: 'old' | 'new';
  readonly resources: 'old' | 'new';
  readonly filters: readonly Filter[];
}

function mixesOf(before: Said, after: Said): readonly Mix[] {
  const made2 = { old: made(before), new: made(after) };
  const ages = ['old', 'new'] as const;
  return ages.flatMap((listener) =>
    ages.map((resources) => {
      const filters = made2[listener].filters.map((filter) => {
        if (filter.configType.case === 'typedConfig') return filter;
        const value = made2[resources].resources.get(filter.name);
        assert.ok(value !== undefined);
        return create(FilterSchema, { name: filter.name, configType: { case: 'typedConfig', value } });
      });
      return { before, after, listener, resources, filters };
    }),
  );
}

describe('policy, the filters of a change arriving one by one, on TCP', function () {
  this.timeout(60_000);
  const address = `127.${100 + (process.pid % 60)}.${(process.pid >> 6) % 256}.8`;
  const mixes = SAID.flatMap((before) => SAID.flatMap((after) => mixesOf(before, after)));
  let envoy: Envoy | undefined;
  let grpc: GrpcAuthorizer | undefined;
  let folder = '';

  before(async function () {
    const path = envoyOrSkip(this);
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-arrival-'));
    grpc = await startGrpcAuthorizer(address);
    const listeners = mixes.map(({ filters }, index) => ({
      name: String(index),
      address: { socket_address: { address, port_value: 0 } },
      enable_reuse_port: false,
      filter_chains: [
        {
          filters: [
            ...filters.map((filter) => toJson(FilterSchema, filter, { registry: EXTENSIONS })),
            {
              name: 'envoy.filters.network.echo',
              typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo' },
            },
          ],
        },
      ],
    }));
    envoy = await startEnvoy(
      path,
      {
        admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
        static_resources: {
          clusters: [cluster('outbound|9000||authz.shop.svc.cluster.local', address, grpc.port, true)],
          listeners,
        },
      },
      folder,
    );
  });

  after(async () => {
    await envoy?.stop();
    await grpc?.stop();
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  it('let through no connection that is denied before and after, and all that nothing is said about', async () => {
    const wrong: object[] = [];
    // In plain text nobody is the account that the authorizer lets in.
    const caller = { certificate: undefined, address: '127.0.0.1' };
    for (const [index, { before: was, after: is, listener, resources }] of mixes.entries()) {
      const got = await callTcp(caller, { host: address, port: envoy?.port(String(index)) ?? 0 });
      const closed = was !== 'nothing' && is !== 'nothing';
      const open = was === 'nothing' && is === 'nothing';
      if ((closed && got === 'ALLOW') || (open && got === 'DENY')) wrong.push({ was, is, listener, resources });
    }
    assert.deepEqual(wrong, []);
    assert.equal(mixes.length, 100);
  });
});
