import type { AuthorizationPolicy } from '../../../mesh/model/authorization-policy.ts';
import type { Gateway } from '../../../mesh/model/gateway.ts';
import { hostnameOf } from './hostname.ts';
import type { Snapshot } from '../../../mesh/model/snapshot.ts';
import type { Workload } from '../../../mesh/model/workload.ts';
import type { Destination } from '../../../policy/access/world.ts';
import type { ObservedCall } from '../../../policy/observed/call.ts';
import { given, MESH_CONFIG, meta, operation, policy, port, rule, snapshot, source } from '../model.ts';

export const DAY = 86_400_000;
export const NOW = Date.parse('2026-11-22T00:00:00Z');

/** mulberry32: small, and the same everywhere. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value = (value + Math.imul(value ^ (value >>> 7), value | 61)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const METHODS: readonly string[] = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'];

/** As records have them. */
export const TEMPLATES: readonly string[] = [
  '/',
  '/health',
  '/users',
  '/users/me',
  '/users/{id}',
  '/users/{id}/orders',
  '/users/{id}/orders/{id}',
  '/orders/order-{id}',
  '/files/{id}.json',
  '/api/v1/items',
  '/api/v1/items/',
  '/api/v2/items/{id}',
  '/a*',
  '/a/*/b',
  '/sch{me}/x',
  '/ümlaut',
  '/x/"y"/{id}',
  '/1/2/3/4/5/6/7/8/9/a/b/c/{rest}',
];
const RARELY: readonly string[] = ['{other}', ''];

/** Behind one Service in several versions, or told apart by nothing. */
export interface GeneratedMesh {
  readonly snapshot: Snapshot;
  readonly destinations: readonly Destination[];
  readonly calls: readonly ObservedCall[];
  /** Destinations whose base asks for what records do not have. */
  readonly conditional: ReadonlySet<string>;
  readonly gateways: ReadonlySet<string>;
}

function workloadOf(namespace: string, name: string, labels: Readonly<Record<string, string>>): Workload {
  return {
    meta: meta('Deployment', namespace, name),
    namespace,
    name,
    serviceAccount: name,
    labels,
    ports: [],
    image: undefined,
    replicas: 1,
    instances: [],
  };
}

function destinationOf({ namespace, name, labels }: Workload, ports: Destination['ports']): Destination {
  return { name: `${namespace}/${name}`, namespace, labels, ports, hosts: [`${name}.${namespace}.svc.cluster.local`] };
}

const HTTP = { port: port(8080), protocol: 'HTTP' as const };
const GRPC = { port: port(9090), protocol: 'HTTP' as const };
const TCP = { port: port(5432), protocol: 'TCP' as const };
const SNIFFED = [
  { port: port(7000), protocol: 'HTTP' as const },
  { port: port(7000), protocol: 'TCP' as const },
];

function gatewayFor(name: string): Gateway {
  return {
    meta: meta('Gateway', 'istio-system', name),
    selector: { istio: name },
    servers: [
      {
        name: undefined,
        port: port(80),
        portName: 'http',
        protocol: 'HTTP',
        hosts: [{ namespace: '*', host: hostnameOf('shop.example') }],
        httpsRedirect: false,
        tls: { kind: 'none' },
        bind: undefined,
      },
    ],
  };
}

const exact = (value: string) => ({ kind: 'exact' as const, value });

/** A mesh of so many workloads with what was seen in it. Some workloads have policies already. */
export function generatedMesh(count: number, seed: number, callsEach = 6): GeneratedMesh {
  const random = randomOf(seed);
  const pick = <T>(list: readonly [T, ...T[]] | readonly T[]): T => {
    const found = list[Math.floor(random() * list.length)];
    if (found === undefined) throw new RangeError('nothing to pick from');
    return found;
  };
  const often = (share: number): boolean => random() < share;
  const workloads: Workload[] = [];
  const destinations: Destination[] = [];
  const gateways = new Set<string>();
  for (let number = 0; number < count; number++) {
    const namespace = `ns${Math.floor(number / 12)}`;
    const name = `app${number}`;
    // Versions of one app, the same labels twice, labels within others' and gateways among them.
    const twin = number % 12 === 7 ? workloads.at(-1) : undefined;
    const labels: Record<string, string> =
      twin !== undefined
        ? { ...twin.labels, ...(number % 24 === 7 ? {} : { version: 'v2' }) }
        : { app: name, tier: `t${number % 3}`, ...(number % 5 === 0 ? { version: 'v1' } : {}) };
    if (number % 40 === 11) {
      labels['istio'] = 'ingress';
      gateways.add(`${namespace}/${name}`);
    }
    const workload = workloadOf(namespace, name, labels);
    workloads.push(workload);
    const ports = [
      HTTP,
      ...(number % 3 === 0 ? [GRPC] : []),
      ...(number % 4 === 0 ? [TCP] : []),
      ...(number % 9 === 0 ? SNIFFED : []),
    ];
    destinations.push(destinationOf(workload, ports));
  }
  const conditional = new Set<string>();
  const policies: AuthorizationPolicy[] = [];
  const domains = ['cluster.local', 'cluster.local', 'cluster.local', 'old.mesh', 'far.away'];
  const principal = (one: Workload): string => `${pick(domains)}/ns/${one.namespace}/sa/${one.serviceAccount}`;
  for (const [number, one] of workloads.entries()) {
    const { namespace, name } = one;
    if (number % 60 === 0) policies.push(policy(namespace, 'allow-nothing', {}));
    if (number % 17 === 3) {
      const callers = [pick(workloads), pick(workloads)].map((caller) => exact(principal(caller)));
      policies.push(
        policy(namespace, `own-${name}`, {
          selector: one.labels,
          rules: [
            rule({
              from: [source({ principals: given(callers) })],
              to: [
                operation({
                  methods: given([exact('GET')]),
                  paths: given([{ kind: 'prefix', value: '/users' }, exact('/health')]),
                }),
              ],
            }),
          ],
        }),
      );
    }
    if (number % 23 === 5) {
      conditional.add(`${namespace}/${name}`);
      policies.push(
        policy(namespace, `header-${name}`, {
          selector: one.labels,
          rules: [rule({ when: [{ key: 'request.headers[x-role]', values: given(['admin']) }] })],
        }),
      );
    }
    if (number % 29 === 6)
      policies.push(
        policy(namespace, `no-delete-${name}`, {
          action: 'DENY',
          selector: one.labels,
          rules: [rule({ to: [operation({ methods: given([exact('DELETE')]) })] })],
        }),
      );
    if (number % 31 === 8) policies.push(policy(namespace, `dry-${name}`, { dryRun: true, selector: one.labels }));
  }
  const calls: ObservedCall[] = [];
  for (const destination of destinations) {
    const callers = Array.from({ length: Math.floor(random() * callsEach) }, () => {
      const who = pick(workloads);
      return { who, id: `spiffe://${principal(who)}` };
    });
    // Clients of one kind do the same.
    const shared = Array.from({ length: 1 + Math.floor(random() * 4) }, () => ({
      method: pick(METHODS),
      path: often(0.01) ? pick(RARELY) : pick(TEMPLATES),
    }));
    for (const { who, id } of callers) {
      const own = often(0.5) ? shared : [...shared, { method: often(0.02) ? 'OTHER' : pick(METHODS), path: pick(TEMPLATES) }];
      const at = pick(destination.ports);
      const firstSeen = NOW - Math.floor((1 + random() * 30) * DAY);
      const lastSeen = firstSeen + Math.floor(random() * (NOW - firstSeen));
      const common = {
        address: undefined,
        caller: `${who.namespace}/${who.name}`,
        destination: destination.name,
        service: destination.hosts[0],
        port: often(0.01) ? undefined : at.port,
        mtls: true,
        wouldDeny: [],
        count: 1 + Math.floor(random() * 1000),
        firstSeen,
        lastSeen,
        days: often(0.8) ? 1 + Math.floor(((lastSeen - firstSeen) / DAY) * random()) : undefined,
      };
      if (at.protocol === 'TCP') {
        calls.push({
          ...common,
          principal: id,
          protocol: 'TCP',
          method: undefined,
          path: undefined,
          decision: 'ALLOW',
          denied: undefined,
        });
        continue;
      }
      for (const { method, path } of own) {
        const denied = often(0.05);
        const grpc = at === GRPC;
        calls.push({
          ...common,
          principal: id,
          protocol: grpc ? 'GRPC' : 'HTTP',
          method: grpc ? 'POST' : method,
          path: grpc ? `/shop.${name(destination)}/Get` : path,
          decision: denied ? 'DENY' : 'ALLOW',
          denied: denied ? 'no rule matches' : undefined,
        });
      }
    }
    if (often(0.1))
      calls.push({
        principal: undefined,
        address: `10.1.${Math.floor(random() * 250)}.7`,
        caller: undefined,
        destination: destination.name,
        service: destination.hosts[0],
        port: port(8080),
        protocol: 'HTTP',
        method: 'GET',
        path: '/health',
        mtls: false,
        decision: 'ALLOW',
        denied: undefined,
        wouldDeny: [],
        count: 5,
        firstSeen: NOW - DAY,
        lastSeen: NOW - 1000,
        days: 1,
      });
  }
  return {
    snapshot: snapshot({
      meshConfig: { ...MESH_CONFIG, trustDomainAliases: ['old.mesh'] },
      workloads,
      gateways: [gatewayFor('ingress')],
      authorizationPolicies: policies,
    }),
    destinations,
    calls,
    conditional,
    gateways,
  };
}

function name({ name: full }: Destination): string {
  return full.slice(full.indexOf('/') + 1);
}
