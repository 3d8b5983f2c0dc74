import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type Edge, edgeKeyOf, type Tally, tallyOf } from '../../audit/model/edge.ts';
import type { AccessRecord, Verdict } from '../../audit/model/record.ts';
import type { Mark } from '../../audit/model/mark.ts';
import { parseSpiffeId, type SpiffeId } from '../../ca/identity/spiffe-id.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { loadMesh } from '../../mesh/source/mesh.ts';
import { samples } from '../feature/running-mesh.ts';

export const SYNCED_AT = '2026-03-01T12:00:00.000Z';
const MINUTE = 60_000;

/** The samples as they are configured. */
export function sampleSnapshot(): Snapshot {
  const { snapshot } = loadMesh({
    paths: ['bookinfo', 'shop', 'web'].map((name) => join(samples, name)),
    meshConfigFile: undefined,
  });
  const instance = {
    ready: true,
    meshed: true,
    labels: {},
    capture: { kind: 'redirect' },
    bindAddress: '0.0.0.0',
  } as const;
  return {
    ...snapshot,
    workloads: snapshot.workloads.map((workload, at) => ({
      ...workload,
      instances: [{ ...instance, name: `${workload.name}-7d9f`, address: `10.1.0.${at + 1}` }],
    })),
  };
}

export function spiffe(text: string): SpiffeId {
  const parsed = parseSpiffeId(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

export interface CallPattern {
  /** `NAMESPACE/NAME`; undefined: nobody that is known. */
  readonly from: string | undefined;
  readonly to: string;
  readonly account?: string;
  readonly toAccount?: string;
  readonly method?: string;
  readonly path?: string;
  readonly perMinute: number;
  readonly plain?: boolean;
  readonly verdict?: Verdict;
  readonly marks?: readonly Mark[];
  readonly status?: number;
  /** Minutes ago; outside of it there are none. */
  readonly between?: readonly [number, number];
}

function account(workload: string, name: string | undefined): SpiffeId {
  const [namespace = '', short = ''] = workload.split('/');
  return spiffe(`spiffe://cluster.local/ns/${namespace}/sa/${name ?? short}`);
}

function times(tally: Tally, count: number): Tally {
  const [a, b, c, d, e, f] = tally.statuses;
  return {
    ...tally,
    count,
    bytesReceived: tally.bytesReceived * count,
    bytesSent: tally.bytesSent * count,
    latencySumUs: tally.latencySumUs * count,
    statuses: [a * count, b * count, c * count, d * count, e * count, f * count],
  };
}

/** A minute's calls of a pattern, by a wave that is the same each time. */
export function edgeAt(pattern: CallPattern, time: number, index: number): Edge | undefined {
  const { from, to, perMinute, plain = false, verdict = { kind: 'allowed-no-policy' }, status = 200, path = '/' } = pattern;
  const ago = index;
  const [until, since] = pattern.between ?? [0, Infinity];
  const wave = 1 + 0.35 * Math.sin(ago / 7 + to.length) + 0.2 * Math.sin(ago / 2.3 + perMinute);
  const count = Math.round(perMinute * wave);
  if (ago < until || ago > since || count <= 0) return undefined;
  const [namespace = '', name = ''] = to.split('/');
  const record: AccessRecord = {
    time,
    side: 'inbound',
    hop: 'in',
    source: {
      principal: plain || from === undefined ? undefined : account(from, pattern.account),
      workload: from,
      address: plain || from === undefined ? '10.1.7.23' : undefined,
    },
    destination: { principal: account(to, pattern.toAccount), workload: to, address: undefined },
    destinationMeshed: true,
    reached: true,
    service: `${name.replace(/-v\d$/, '')}.${namespace}.svc.cluster.local`,
    port: 8080,
    protocol: 'HTTP/1.1',
    method: pattern.method ?? 'GET',
    path,
    template: path,
    status,
    durationUs: 2_000 + (to.length % 7) * 3_100,
    bytesReceived: 310,
    bytesSent: 2_240,
    mtls: !plain && from !== undefined,
    verdict,
    flags: [],
    ...(pattern.marks === undefined ? {} : { marks: pattern.marks }),
  };
  return { key: edgeKeyOf(record), minute: Math.floor(time / MINUTE), tally: times(tallyOf(record), count) };
}

/** Calls of the last minutes. */
export function callsOf(patterns: readonly CallPattern[], minutes: number, now: number): readonly Edge[] {
  return patterns.flatMap((pattern) =>
    Array.from({ length: minutes }, (_, ago) => edgeAt(pattern, now - ago * MINUTE, ago)).flatMap((edge) => edge ?? []),
  );
}

const by = (policy: string, rule = 0): Verdict => ({ kind: 'allowed-by-rule', by: { policy, rule } });
const GATEWAY = 'istio-system/istio-ingressgateway';
const gateway = { from: GATEWAY, account: 'istio-ingressgateway-service-account' } as const;

/** What the samples' own load would look like, with a client without a certificate and a dry run added. */
export const SAMPLE_CALLS: readonly CallPattern[] = Object.freeze([
  { from: undefined, to: GATEWAY, toAccount: 'istio-ingressgateway-service-account', perMinute: 310, path: '/productpage' },
  { ...gateway, to: 'default/productpage-v1', toAccount: 'bookinfo-productpage', perMinute: 180, path: '/productpage' },
  {
    from: 'default/productpage-v1',
    account: 'bookinfo-productpage',
    to: 'default/details-v1',
    toAccount: 'bookinfo-details',
    perMinute: 180,
    path: '/details/{id}',
  },
  {
    from: 'default/productpage-v1',
    account: 'bookinfo-productpage',
    to: 'default/reviews-v1',
    toAccount: 'bookinfo-reviews',
    perMinute: 60,
    path: '/reviews/{id}',
  },
  {
    from: 'default/productpage-v1',
    account: 'bookinfo-productpage',
    to: 'default/reviews-v2',
    toAccount: 'bookinfo-reviews',
    perMinute: 60,
    path: '/reviews/{id}',
  },
  {
    from: 'default/productpage-v1',
    account: 'bookinfo-productpage',
    to: 'default/reviews-v3',
    toAccount: 'bookinfo-reviews',
    perMinute: 60,
    path: '/reviews/{id}',
  },
  {
    from: 'default/reviews-v2',
    account: 'bookinfo-reviews',
    to: 'default/ratings-v1',
    toAccount: 'bookinfo-ratings',
    perMinute: 60,
    path: '/ratings/{id}',
  },
  {
    from: 'default/reviews-v3',
    account: 'bookinfo-reviews',
    to: 'default/ratings-v1',
    toAccount: 'bookinfo-ratings',
    perMinute: 60,
    path: '/ratings/{id}',
    status: 503,
    between: [12, 16],
  },
  {
    from: 'default/reviews-v3',
    account: 'bookinfo-reviews',
    to: 'default/ratings-v1',
    toAccount: 'bookinfo-ratings',
    perMinute: 58,
    path: '/ratings/{id}',
  },
  { ...gateway, to: 'shop/website', perMinute: 40, path: '/account/{id}', verdict: by('shop/website') },
  { ...gateway, to: 'shop/mobile', perMinute: 55, path: '/account/{id}', verdict: by('shop/mobile') },
  { ...gateway, to: 'shop/support', perMinute: 9, path: '/account/{id}', verdict: by('shop/support') },
  { ...gateway, to: 'shop/rewards', perMinute: 22, path: '/account/{id}', verdict: by('shop/rewards') },
  { from: 'shop/mobile', to: 'shop/users', perMinute: 55, path: '/users/{id}', verdict: by('shop/users') },
  { from: 'shop/support', to: 'shop/users', perMinute: 9, path: '/users/{id}', verdict: by('shop/users', 1) },
  {
    from: 'shop/rewards',
    to: 'shop/users',
    perMinute: 22,
    path: '/users/{id}',
    verdict: by('shop/users'),
    marks: [{ kind: 'would-deny', by: { policy: 'shop/users-dry', rule: 0 } }],
  },
  {
    from: 'shop/website',
    to: 'shop/users',
    perMinute: 38,
    path: '/users/{id}',
    status: 403,
    verdict: { kind: 'denied-no-rule', policies: ['shop/allow-nothing', 'shop/users'] },
  },
  { from: 'shop/users', to: 'shop/fraud', perMinute: 70, path: '/score', method: 'POST', verdict: by('shop/fraud') },
  {
    from: 'legacy/billing',
    plain: true,
    to: 'default/ratings-v1',
    toAccount: 'bookinfo-ratings',
    perMinute: 6,
    path: '/ratings/{id}',
  },
  {
    from: 'shop/website',
    to: 'shop/fraud',
    perMinute: 3,
    path: '/score',
    method: 'POST',
    status: 403,
    verdict: { kind: 'denied-no-rule', policies: ['shop/allow-nothing', 'shop/fraud'] },
    between: [3, 9],
  },
]);

export function sampleEdges(now: number, minutes = 90): readonly Edge[] {
  return callsOf(SAMPLE_CALLS, minutes, now);
}
