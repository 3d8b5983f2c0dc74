import type { ClientTls, DestinationRule, GatewayKeyPair, TrafficPolicy } from '../model/destination-rule.ts';
import type { BackendTlsPolicy } from '../model/gateway-api.ts';
import type { Port } from '../model/port.ts';
import { gatewayProblem } from './accepted.ts';
import { authoritiesOf, keyPair } from './listener-references.ts';
import { metaOf, podsOf } from './open.ts';
import type { World } from './world.ts';

function policyOf(tls: ClientTls | undefined, portLevel: ReadonlyMap<Port, TrafficPolicy>): TrafficPolicy {
  return {
    loadBalancer: undefined,
    connectionPool: undefined,
    outlierDetection: undefined,
    tls,
    tunnel: undefined,
    proxyProtocol: undefined,
    retryBudget: undefined,
    portLevel,
  };
}

/** What Gateways show to backends (`spec.tls.backend.clientCertificateRef`); one that cannot be had is not shown. */
function gatewayKeyPairs(world: World): readonly GatewayKeyPair[] {
  return world.gateways
    .filter((gateway) => gatewayProblem(world, gateway) === undefined)
    .flatMap((gateway) => {
      const { meta, clientCertificate } = gateway;
      if (clientCertificate === undefined) return [];
      return podsOf(world, gateway).flatMap(({ selector, podNamespace }) => {
        const pair = keyPair(world, { kind: 'Gateway', meta }, clientCertificate, podNamespace);
        return 'reason' in pair ? [] : [{ namespace: podNamespace, selector, keyPair: pair }];
      });
    });
}

function tlsOf(
  world: World,
  shown: readonly GatewayKeyPair[],
  { meta, hostname, subjectAltNames, authorities }: BackendTlsPolicy,
): ClientTls {
  const by =
    authorities === 'system'
      ? ({ kind: 'system' } as const)
      : authoritiesOf(world, { kind: meta.kind, namespace: meta.namespace }, authorities).authorities;
  // Not checked against anybody would be TLS with anybody.
  if (by === undefined) return { mode: 'UNAVAILABLE' };
  return {
    mode: 'SIMPLE',
    sni: hostname,
    subjectAltNames: subjectAltNames.length === 0 ? [hostname] : subjectAltNames,
    keyPair: undefined,
    ...(shown.length === 0 ? {} : { gatewayKeyPairs: shown }),
    authorities: by,
  };
}

/** TLS toward Services, as DestinationRules of the Service's namespace; the oldest policy for a port is in force. */
export function backendTlsRules(world: World): readonly DestinationRule[] {
  const shown = world.policies.length === 0 ? [] : gatewayKeyPairs(world);
  return world.policies.flatMap((policy) =>
    policy.targets.flatMap((target) => {
      if (target.kind !== 'Service' || target.group !== '') return [];
      const service = world.service(policy.meta.namespace, target.name);
      if (service === undefined) return [];
      const tls = tlsOf(world, shown, policy);
      const ports = service.ports.filter(({ name }) => name === target.section);
      // A section that is not there means no port, never all of them.
      if (target.section !== undefined && ports.length === 0) return [];
      const trafficPolicy =
        target.section === undefined
          ? policyOf(tls, new Map())
          : policyOf(undefined, new Map(ports.map(({ port }) => [port, policyOf(tls, new Map())])));
      return [
        {
          meta: metaOf(policy.meta, 'DestinationRule', `${policy.meta.name}~${target.name}~${target.section ?? ''}`),
          host: service.hostname,
          exportTo: { kind: 'all' },
          trafficPolicy,
          subsets: [],
          workloadSelector: undefined,
          demandsTls: true as const,
        },
      ];
    }),
  );
}
