import type { ClientTls, DestinationRule, KeyPair } from '../../mesh/model/destination-rule.ts';
import { selects } from '../../mesh/model/object.ts';
import type { Scope } from '../scope.ts';

/** What the caller, if it is a gateway with a certificate of its own toward backends, shows. */
export function gatewayKeyPair({ proxy }: Scope, tls: ClientTls | undefined): KeyPair | undefined {
  if (proxy.kind !== 'gateway' || (tls?.mode !== 'SIMPLE' && tls?.mode !== 'MUTUAL')) return undefined;
  const { workload, instance } = proxy;
  return tls.gatewayKeyPairs?.find(
    ({ namespace, selector }) => namespace === workload.namespace && selects(selector, instance.labels),
  )?.keyPair;
}

const tlsOf = ({ trafficPolicy }: DestinationRule): readonly (ClientTls | undefined)[] =>
  trafficPolicy === undefined ? [] : [trafficPolicy.tls, ...[...trafficPolicy.portLevel.values()].map(({ tls }) => tls)];

/** All of a caller's in some rules: by them its clusters differ from those of other callers. */
export function gatewayKeyPairs(scope: Scope, rules: readonly DestinationRule[]): readonly KeyPair[] {
  return scope.proxy.kind === 'gateway' ? rules.flatMap(tlsOf).flatMap((tls) => gatewayKeyPair(scope, tls) ?? []) : [];
}

/** Labels by which gateways with certificates of their own are known. */
export function gatewayLabels(rule: DestinationRule): readonly string[] {
  return tlsOf(rule).flatMap((tls) =>
    tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL'
      ? (tls.gatewayKeyPairs ?? []).flatMap(({ selector }) => Object.keys(selector))
      : [],
  );
}
