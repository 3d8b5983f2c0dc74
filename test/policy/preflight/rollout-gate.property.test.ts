import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { PeerAuthentication } from '../../../mesh/model/peer-authentication.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import { isSafe, preflight } from '../../../policy/preflight/preflight.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { gatesFor } from '../../../policy/rollout/gates.ts';
import { configuredIn } from '../../../policy/rollout/configured.ts';
import { initialState } from '../../../policy/rollout/state.ts';
import { meta, peerAuthentication, policy, port, rule, source, given, snapshot } from '../model.ts';
import { call, evidence, plain, rollout, T0, workload } from '../rollout/scenario.ts';

const SEED = 20261122;
const PORTS = [8080, 9090, 15020];
const NAMES = ['cart', 'web', 'old'];

const annotations = fc.subarray<readonly [string, string]>([
  ['sidecar.istio.io/rewriteAppHTTPProbers', 'false'],
  ['prometheus.io/scrape', 'true'],
  ['prometheus.istio.io/merge-metrics', 'false'],
  ['traffic.sidecar.istio.io/excludeInboundPorts', '9090, 7000'],
  ['traffic.sidecar.istio.io/includeInboundPorts', '8080'],
  ['traffic.sidecar.istio.io/excludeInboundPorts', 'nonsense'],
]);

function configured(name: string): fc.Arbitrary<Workload> {
  return fc
    .record({ pairs: annotations, hasProxy: fc.boolean(), probed: fc.constantFrom(undefined, ...PORTS), explicit: fc.boolean() })
    .map(({ pairs, hasProxy, probed, explicit }) => ({
      ...workload(name),
      annotations: Object.fromEntries(pairs),
      hasProxy,
      ports: [{ name: undefined, port: port(8080), protocol: 'http' as const }],
      instances: explicit
        ? [
            {
              name,
              address: '10.0.0.1',
              labels: { app: name },
              ready: true,
              meshed: true,
              capture: { kind: 'explicit' as const, appAddress: '127.0.0.1' },
              bindAddress: '10.0.0.1',
            },
          ]
        : [],
      ...(probed === undefined
        ? {}
        : {
            probes: [
              { field: 'containers[0].livenessProbe.httpGet', port: probed, path: '/live', method: 'GET' as const, headers: {} },
            ],
          }),
    }));
}

const peer: fc.Arbitrary<PeerAuthentication> = fc
  .record({
    app: fc.constantFrom(undefined, ...NAMES),
    namespace: fc.constantFrom('shop', 'istio-system'),
    mode: fc.constantFrom('UNSET' as const, 'STRICT' as const, 'PERMISSIVE' as const, 'DISABLE' as const),
    ports: fc.subarray([8080, 9090]),
    portMode: fc.constantFrom('STRICT' as const, 'PERMISSIVE' as const, 'UNSET' as const),
    createdAt: fc.constantFrom(undefined, 1, 2),
  })
  .map(({ app, namespace, mode, ports, portMode, createdAt }) => ({
    ...peerAuthentication(namespace, `of-${app ?? 'all'}`, {
      selector: app === undefined ? {} : { app },
      mode,
      portLevel: app === undefined ? new Map() : new Map(ports.map((number) => [port(number), portMode])),
    }),
    meta: meta('PeerAuthentication', namespace, `of-${app ?? 'all'}`, createdAt),
  }));

const observed: fc.Arbitrary<ObservedCall> = fc
  .record({
    destination: fc.constantFrom(...NAMES, 'gone').map((name) => `shop/${name}`),
    number: fc.constantFrom(undefined, ...PORTS),
    path: fc.constantFrom('/live', '/metrics', '/items'),
    caller: fc.constantFrom(undefined, 'shop/old', 'shop/web', 'else/where'),
    decision: fc.constantFrom('ALLOW' as const, 'ALLOW' as const, 'DENY' as const),
    mtls: fc.constantFrom(false, false, true),
  })
  .map(({ number, mtls, ...fields }) => (mtls ? call : plain)({ ...fields, port: number }));

const denying = policy('shop', 'closed', {
  action: 'DENY',
  selector: { app: 'cart' },
  rules: [rule({ from: [source({ namespaces: given([], [{ kind: 'exact', value: 'nobody' }]) })] })],
});

const mesh: fc.Arbitrary<Snapshot> = fc
  .record({
    workloads: fc.tuple(...NAMES.map(configured)),
    peerAuthentications: fc.array(peer, { maxLength: 4 }),
    authorizationPolicies: fc.subarray([denying]),
  })
  .map(snapshot);

describe('the rollout’s gate for callers in plain text, and policy preflight', () => {
  it(`say the same of the same evidence (seed ${SEED})`, () => {
    let [safe, unsafe] = [0, 0];
    fc.assert(
      fc.property(mesh, fc.array(observed, { maxLength: 3 }), (found, calls) => {
        const asked = { ...evidence(T0), calls, configured: configuredIn(found, 'shop', T0) };
        const step = { to: 'strict' as const, workloads: undefined, held: {} };
        const gate = gatesFor(rollout(), initialState('shop', T0), step, asked, T0).find((one) => one.gate === 'plain-text');
        const judged = preflight(found, { namespace: 'shop', workload: undefined }, calls);
        assert.equal(gate?.met, isSafe(judged), JSON.stringify({ gate, judged }));
        if (isSafe(judged)) safe++;
        else unsafe++;
        const named = gate?.details.join('\n') ?? '';
        if (gate?.omittedDetails === 0)
          for (const { destination, port: number } of judged.cutOff)
            assert.ok(named.includes(`${destination}${number === undefined ? '' : `:${number}`}`), `${destination} in ${named}`);
      }),
      { seed: SEED, numRuns: 2000 },
    );
    assert.ok(safe > 200 && unsafe > 200, `${safe} safe, ${unsafe} not: the property was hardly tried`);
  });
});
