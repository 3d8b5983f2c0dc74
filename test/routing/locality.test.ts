import assert from 'node:assert/strict';
import { compiledFor, snapshotOf } from './compiled.ts';

const PLACES = { a: 'east.1.x', b: 'east.1.y', c: 'east.2.x', d: 'west.1.x', e: 'north.1.x' } as const;

const pod = (name: string, index: number, app: string, place: string, labels = ''): string => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: default, labels: {app: ${app}, istio-locality: ${place}${labels}}}
spec: {containers: [{name: app, ports: [{containerPort: 80}]}]}
status: {podIP: 10.0.0.${index + 1}, phase: Running}
---`;

const mesh = (policy: string): string => `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
${Object.entries(PLACES)
  .map(([name, place], index) => pod(name, index, 'web', place, name === 'd' ? ', version: v2' : ', version: v1'))
  .join('')}${pod('caller', 9, 'caller', 'east.1.x', ', version: v2')}
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: default}
spec: {host: web, trafficPolicy: {${policy}}}
`;

const OUTLIERS = 'outlierDetection: {consecutive5xxErrors: 1}';

/** For each group of endpoints: its priority, its weight where it has one, and whom it holds. */
function groups(policy: string): readonly string[] {
  const { endpoints } = compiledFor(snapshotOf(mesh(policy)), 'default/caller');
  const found = endpoints.find(({ clusterName }) => clusterName.includes('web'));
  const names = Object.keys(PLACES);
  return (found?.endpoints ?? []).map(({ priority, loadBalancingWeight, lbEndpoints }) => {
    const who = lbEndpoints.map(({ hostIdentifier }) => {
      assert.ok(hostIdentifier.case === 'endpoint' && hostIdentifier.value.address?.address.case === 'socketAddress');
      return names[Number(hostIdentifier.value.address.address.value.address.split('.')[3]) - 1] ?? '?';
    });
    return `${priority}${loadBalancingWeight === undefined ? '' : ` at ${loadBalancingWeight}`}: ${who.sort().join(' ')}`;
  });
}

describe('endpoints by locality', () => {
  it('are all alike without outlier detection, which tells when the near ones fail', () => {
    assert.deepEqual(groups('loadBalancer: {simple: ROUND_ROBIN}'), ['0: a b c d e']);
  });

  it('are tried by sub-zone, zone, region, and then all others', () => {
    assert.deepEqual(groups(OUTLIERS), ['0: a', '1: b', '2: c', '3: d', '3: e']);
  });

  it('are tried in the region that takes over before others', () => {
    const policy = `${OUTLIERS}, loadBalancer: {localityLbSetting: {failover: [{from: east, to: north}]}}`;
    assert.deepEqual(groups(policy), ['0: a', '1: b', '2: c', '3: e', '4: d']);
  });

  it('are tried by labels of their own', () => {
    const policy = (labels: string) => `${OUTLIERS}, loadBalancer: {localityLbSetting: {failoverPriority: [${labels}]}}`;
    assert.deepEqual(groups(policy('version')), ['0: d', '1: a', '1: b', '1: c', '1: e']);
    assert.deepEqual(groups(policy('"version=v1", topology.kubernetes.io/region')), ['0: a', '0: b', '0: c', '1: e', '2: d']);
  });

  it('get the shares that a rule gives to places, and nothing without one', () => {
    const distribute = 'distribute: [{from: "east/1/*", to: {"east/*": 80, "west/1/x": 20}}]';
    const weighted = groups(`loadBalancer: {localityLbSetting: {${distribute}}}`);
    assert.deepEqual(weighted, ['0 at 27: a', '0 at 27: b', '0 at 27: c', '0 at 20: d']);
    const elsewhere = 'distribute: [{from: "south/*", to: {"west/*": 100}}]';
    assert.deepEqual(groups(`loadBalancer: {localityLbSetting: {${elsewhere}}}`), ['0: a b c d e']);
  });

  it('may be turned off', () => {
    assert.deepEqual(groups(`${OUTLIERS}, loadBalancer: {localityLbSetting: {enabled: false}}`), ['0: a b c d e']);
  });
});
