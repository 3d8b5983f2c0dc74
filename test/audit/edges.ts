import { type Edge, edgeOf } from '../../audit/model/edge.ts';
import type { AccessRecord } from '../../audit/model/record.ts';
import { APP, NOW, WEB } from './world.ts';

/** An allowed call of web to app, changed by what is given. */
export function record(change: Partial<AccessRecord> = {}): AccessRecord {
  return {
    time: NOW.getTime(),
    side: 'inbound',
    hop: 'in',
    source: { principal: WEB, workload: 'shop/web', address: '10.0.0.2' },
    destination: { principal: APP, workload: 'shop/app', address: undefined },
    destinationMeshed: true,
    reached: true,
    service: 'app.shop.svc.cluster.local',
    port: 8080,
    protocol: 'HTTP/1.1',
    method: 'GET',
    path: '/cart/42',
    template: '/cart/{id}',
    status: 200,
    durationUs: 1500,
    bytesReceived: 100,
    bytesSent: 200,
    mtls: true,
    verdict: { kind: 'allowed-by-rule', by: { policy: 'shop/web', rule: 0 } },
    flags: [],
    ...change,
  };
}

/** Different calls, told apart by their method's path. */
export function distinct(count: number, from = 0): readonly AccessRecord[] {
  return Array.from({ length: count }, (_, index) =>
    record({ template: `/r${'abcdefghij'[(from + index) % 10] ?? ''}/${from + index}`, port: from + index }),
  );
}

export function edge(change: Partial<AccessRecord> = {}): Edge {
  return edgeOf(record(change));
}

export function callsOf(edges: readonly Edge[]): number {
  return edges.reduce((sum, { tally }) => sum + tally.count, 0);
}
