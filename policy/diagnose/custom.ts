import type { AuthorizationPolicy } from '../../mesh/model/authorization-policy.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import { workloadsOf } from '../../mesh/model/endpoints.ts';
import { type FoundProvider, findProvider } from '../../mesh/model/extension-provider.ts';
import type { Protocol } from '../../mesh/model/port.ts';
import { finding, quoted, some } from './finding.ts';
import { reachesPort } from './http-on-tcp.ts';
import { nameOf, type Survey } from './survey.ts';

type Asked = Extract<FoundProvider, { readonly kind: 'found' }>;

/** Protocols of which the proxy sees bytes only. */
const OPAQUE: ReadonlySet<Protocol> = new Set<Protocol>(['tcp', 'tls', 'https']);
const SPEAKS_GRPC: ReadonlySet<Protocol> = new Set<Protocol>(['grpc', 'http2']);

/** A policy with an authorizer over HTTP says nothing about TCP ports, be they named or not. */
function notOnTcp(survey: Survey, policy: AuthorizationPolicy, { provider }: Asked): readonly Diagnostic[] {
  if (provider.kind !== 'ext-authz-http') return [];
  return policy.rules.flatMap((rule, at) => {
    const places = survey.targets(policy).flatMap((workload) =>
      survey
        .portsOf(workload)
        .filter(({ port, protocol }) => OPAQUE.has(protocol) && reachesPort(rule, port) && !survey.isGateway(workload))
        .map(({ port, protocol }) => `port ${port} (${protocol}) of ${nameOf(workload)}`),
    );
    if (places.length === 0) return [];
    const named = rule.to.some(({ ports }) => ports.values.length > 0);
    return [
      finding(
        policy.meta,
        `spec.rules[${at}]`,
        named ? 'warning' : 'info',
        'custom-not-on-tcp',
        `on ${some(places)} nobody is asked: provider ${quoted(provider.name)} is asked over HTTP, which is only about requests`,
        'use a provider of the kind envoyExtAuthzGrpc, or DENY and ALLOW policies for that port',
      ),
    ];
  });
}

/** An authorizer over gRPC on a port that does not say so is called with HTTP/1.1. */
function notGrpc(policy: AuthorizationPolicy, { provider, authorizer }: Asked): readonly Diagnostic[] {
  const { port, service } = authorizer;
  if (provider.kind !== 'ext-authz-grpc' || SPEAKS_GRPC.has(port.protocol)) return [];
  return [
    finding(
      policy.meta,
      'spec.provider.name',
      'warning',
      'authorizer-not-grpc',
      `provider ${quoted(provider.name)} is asked over gRPC, but port ${port.port} of ${service.hostname} is ${port.protocol}: it cannot be asked${provider.failOpen ? ', and it fails open' : ', so what this policy matches is denied'}`,
      `name that port of the Service grpc-${port.name === '' ? port.port : port.name}`,
    ),
  ];
}

/** A question that is itself put to the authorizer never ends. */
function asksAboutItself(survey: Survey, policy: AuthorizationPolicy, { provider, authorizer }: Asked): readonly Diagnostic[] {
  const own = new Set(workloadsOf(survey.snapshot, authorizer.service));
  const behind = survey
    .targets(policy)
    .filter((workload) => own.has(workload) && workload.instances.some(({ meshed }) => meshed));
  if (behind.length === 0) return [];
  return [
    finding(
      policy.meta,
      'spec.selector',
      'warning',
      'custom-on-authorizer',
      `it applies to ${some(behind.map(nameOf))} too, which is provider ${quoted(provider.name)} itself: questions that its rules match are put to it again, without end`,
      'leave the authorizer out by a selector, or by notPaths or notPorts',
    ),
  ];
}

/** What CUSTOM policies do not do although their provider is there. */
export function customPolicies(survey: Survey): readonly Diagnostic[] {
  return survey.policies.flatMap((policy) => {
    const found = policy.action === 'CUSTOM' ? findProvider(survey.snapshot, policy.provider) : undefined;
    if (found?.kind !== 'found') return [];
    return [...notOnTcp(survey, policy, found), ...notGrpc(policy, found), ...asksAboutItself(survey, policy, found)];
  });
}
