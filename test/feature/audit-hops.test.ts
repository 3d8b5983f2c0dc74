// One edge of what two proxies tell: what the caller's rules make of a call (retries, mirrors, timeouts, faults) is counted where it arrives,
// and only what arrives nowhere is counted where it leaves.
import assert from 'node:assert/strict';
import { eventually } from '../eventually.ts';
import { field, send } from './load.ts';
import { startPair } from './pair.ts';
import type { ReportedEdge, RunningMesh } from './running-mesh.ts';

const RULES = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: server, namespace: pair}
spec:
  hosts: [server]
  http:
  - match: [{uri: {prefix: /aborted}}]
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: server}}]
  - match: [{uri: {prefix: /retried}}]
    retries: {attempts: 2, perTryTimeout: 5s, retryOn: 5xx}
    headers: {request: {set: {x-echo-status: "503"}}}
    route: [{destination: {host: server}}]
  - match: [{uri: {prefix: /slow}}]
    timeout: 0.3s
    headers: {request: {set: {x-echo-delay-ms: "1500"}}}
    route: [{destination: {host: server}}]
  - match: [{uri: {prefix: /mirrored}}]
    mirror: {host: server}
    route: [{destination: {host: server}}]
  - match: [{uri: {prefix: /nowhere}}]
    route: [{destination: {host: server, subset: missing}}]
  - route: [{destination: {host: server}}]
`;
const SERVER = 'server.pair.svc.cluster.local';
const GATEWAY = 'istio-system/istio-ingressgateway';
const CALLS = 7;

describe('both sides of a call are one edge', function () {
  this.timeout(120_000);
  let mesh: RunningMesh;
  before('start a pair', async () => {
    mesh = await startPair('explicit');
    await mesh.apply(RULES);
  });
  after(() => mesh?.stop());

  const called = async (path: string): Promise<readonly string[]> => {
    const { counts } = await send(
      {
        address: mesh.gateway,
        path: `/call?url=http://server:8080/${path}`,
        headers: { host: 'pair.localhost' },
        name: (reply) => String(field(reply.body, 'upstream', 'target', 'status')),
      },
      CALLS,
    );
    return [...counts].map(([status, count]) => `${count} x ${status}`);
  };
  const told = ({ source, destination, verdict, reason, count }: ReportedEdge): string =>
    `${source.workload ?? '-'} -> ${destination.workload ?? '-'}: ${count} ${verdict === 'unreached' ? reason : verdict}`;
  const edges = async (path: string): Promise<readonly string[]> =>
    (await mesh.edges())
      .filter((edge) => edge.path === path && edge.destination.service === SERVER)
      .map(told)
      .sort();

  const arrived = (count: number): readonly string[] => [`pair/client -> pair/server: ${count} allowed-no-policy`];
  const cases: readonly (readonly [path: string, answers: string, edges: readonly string[]])[] = [
    ['plain', '200', arrived(CALLS)],
    ['retried', '503', arrived(3 * CALLS)],
    ['mirrored', '200', arrived(2 * CALLS)],
    ['slow', '504', arrived(CALLS)],
    ['aborted', '418', [`pair/client -> -: ${CALLS} did not arrive: fault_filter_abort`]],
    ['nowhere', '503', [`pair/client -> -: ${CALLS} did not arrive: cluster_not_found`]],
  ];
  for (const [path, status, expected] of cases)
    it(`${path}: ${expected.join(', ')}`, async () => {
      assert.deepEqual(await called(path), [`${CALLS} x ${status}`], mesh.log());
      let last: readonly string[] = [];
      await eventually('the edges', async () => {
        last = await edges(`/${path}`);
        return last.join() === expected.join() ? true : undefined;
      }).catch(() => assert.deepEqual(last, expected));
    });

  // Envoy takes it from clients where `useRemoteAddress` is set, which is so at gateways.
  it('a client at the gateway does not name the path of its calls by the header that Envoy keeps it in', async () => {
    const before = (await mesh.edges()).filter(({ path }) => path === '/call');
    const calls = (edges: readonly ReportedEdge[]): number =>
      edges
        .filter(({ destination }) => destination.workload === GATEWAY)
        .map(({ count }) => count)
        .reduce((sum, count) => sum + count, 0);
    const { counts } = await send(
      {
        address: mesh.gateway,
        path: '/call?url=http://server:8080/named',
        headers: { host: 'pair.localhost', 'x-envoy-original-path': '/forged' },
        name: (reply) => String(field(reply.body, 'upstream', 'target', 'status')),
      },
      CALLS,
    );
    assert.deepEqual([...counts], [['200', CALLS]]);
    let last: readonly ReportedEdge[] = [];
    await eventually('the calls at the gateway', async () => {
      last = await mesh.edges();
      return calls(last.filter(({ path }) => path === '/call')) === calls(before) + CALLS ? true : undefined;
    }).catch((error: unknown) => assert.fail(`${String(error)}: ${JSON.stringify(last.map(told))}`));
    assert.deepEqual(last.filter(({ path }) => path === '/forged').map(told), []);
  });
});
