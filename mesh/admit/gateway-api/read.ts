import {
  type BackendTlsPolicy,
  type ConnectionRoute,
  GATEWAY_API_GROUP,
  type GatewayApiObject,
  type KubernetesGateway,
  type ListenerSet,
  type ReferenceGrant,
  type RequestRoute,
} from '../../model/gateway-api.ts';
import { resolveHostname } from '../../model/hostname.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { plainHostname } from '../hosts.ts';
import { oneOf, optionalText, requiredText, text } from '../scalar.ts';
import { fromNamespaces, listeners } from './listener.ts';
import { backendRef, noFilters, objectRef, parentRefs } from './references.ts';
import { requestRule } from './request-rule.ts';

function gateway(spec: Field, context: Context): KubernetesGateway {
  const fields = fieldsOf(spec, [
    'gatewayClassName',
    'listeners',
    'addresses',
    'infrastructure',
    'allowedListeners',
    'tls',
    'defaultScope',
    'backendTLS',
  ]);
  if (fields.tls.given || fields.backendTLS.given)
    spec.warning(
      'not-yet-applied',
      'tls for all listeners and backends is not applied yet',
      'give it in each listener, or in a BackendTLSPolicy',
    );
  const { namespace } = context.meta;
  const addresses = itemsOf(fields.addresses).flatMap((item) => {
    const one = fieldsOf(item, ['type', 'value']);
    const type = optionalText(one.type) ?? 'IPAddress';
    const value = optionalText(one.value);
    if (value === undefined || type !== 'Hostname') return [];
    return resolveHostname(value, namespace, context.meshConfig.clusterDomain) ?? [];
  });
  const found = listeners(fields.listeners, context);
  return {
    meta: context.meta,
    className: requiredText(fields.gatewayClassName, 'as gatewayClassName: istio'),
    listeners: found,
    addresses,
    allowedListeners: fromNamespaces(fieldsOf(fields.allowedListeners, ['namespaces']).namespaces, 'None'),
  };
}

function listenerSet(spec: Field, context: Context): ListenerSet {
  const fields = fieldsOf(spec, ['parentRef', 'listeners']);
  const parent = objectRef(fields.parentRef, context, GATEWAY_API_GROUP, 'Gateway');
  return { meta: context.meta, parent, listeners: listeners(fields.listeners, context) };
}

function requestRoute(spec: Field, context: Context, kind: 'HTTPRoute' | 'GRPCRoute'): RequestRoute {
  const fields = fieldsOf(spec, ['parentRefs', 'hostnames', 'rules', 'useDefaultGateways']);
  const rules = itemsOf(fields.rules).map((item) => requestRule(item, context, kind));
  return {
    kind,
    meta: context.meta,
    parents: parentRefs(fields.parentRefs, context),
    hostnames: itemsOf(fields.hostnames).flatMap((item) => plainHostname(item) ?? []),
    rules,
  };
}

function connectionRoute(spec: Field, context: Context, kind: 'TLSRoute' | 'TCPRoute'): ConnectionRoute {
  const fields = fieldsOf(spec, [
    'parentRefs',
    'rules',
    'useDefaultGateways',
    ...(kind === 'TLSRoute' ? (['hostnames'] as const) : []),
  ]);
  const hostnames = kind === 'TLSRoute' ? fieldsOf(spec, ['hostnames'], 'tolerant').hostnames : undefined;
  return {
    kind,
    meta: context.meta,
    parents: parentRefs(fields.parentRefs, context),
    hostnames: hostnames === undefined ? [] : itemsOf(hostnames).flatMap((item) => plainHostname(item) ?? []),
    rules: itemsOf(fields.rules).map((item) => {
      const rule = fieldsOf(item, ['name', 'backendRefs']);
      text(rule.name);
      return { backends: itemsOf(rule.backendRefs).map((one) => backendRef(one, context, noFilters)) };
    }),
  };
}

function referenceGrant(spec: Field, context: Context): ReferenceGrant {
  const fields = fieldsOf(spec, ['from', 'to']);
  return {
    meta: context.meta,
    from: itemsOf(fields.from).map((item) => {
      const one = fieldsOf(item, ['group', 'kind', 'namespace']);
      return {
        group: text(one.group),
        kind: requiredText(one.kind, 'as kind: HTTPRoute'),
        namespace: requiredText(one.namespace, 'as namespace: shop'),
      };
    }),
    to: itemsOf(fields.to).map((item) => {
      const one = fieldsOf(item, ['group', 'kind', 'name']);
      return { group: text(one.group), kind: requiredText(one.kind, 'as kind: Service'), name: optionalText(one.name) };
    }),
  };
}

function backendTlsPolicy(spec: Field, context: Context): BackendTlsPolicy {
  const fields = fieldsOf(spec, ['targetRefs', 'validation', 'options']);
  const validation = fieldsOf(fields.validation, ['caCertificateRefs', 'wellKnownCACertificates', 'hostname', 'subjectAltNames']);
  const systemAuthorities = oneOf(validation.wellKnownCACertificates, ['System']) !== undefined;
  if (!systemAuthorities)
    validation.caCertificateRefs.warning(
      'not-yet-applied',
      'authorities of ConfigMaps are not read: connections to the target are not made',
      'use wellKnownCACertificates: System, or a DestinationRule with tls',
    );
  return {
    meta: context.meta,
    targets: itemsOf(fields.targetRefs).map((item) => {
      const one = fieldsOf(item, ['group', 'kind', 'name', 'sectionName']);
      return {
        group: text(one.group),
        kind: requiredText(one.kind, 'as kind: Service'),
        name: requiredText(one.name, 'as name: web'),
        section: optionalText(one.sectionName),
      };
    }),
    hostname: requiredText(validation.hostname, 'as hostname: web.example.com'),
    subjectAltNames: itemsOf(validation.subjectAltNames).flatMap((item) => {
      const one = fieldsOf(item, ['type', 'hostname', 'uri']);
      oneOf(one.type, ['Hostname', 'URI']);
      return optionalText(one.hostname) ?? optionalText(one.uri) ?? [];
    }),
    systemAuthorities,
  };
}

/** Reads the spec of an object of gateway.networking.k8s.io. */
export function readGatewayApi(kind: GatewayApiObject['kind'], spec: Field, context: Context): GatewayApiObject {
  switch (kind) {
    case 'GatewayClass': {
      const fields = fieldsOf(spec, ['controllerName', 'description', 'parametersRef']);
      return { kind, value: { meta: context.meta, controller: requiredText(fields.controllerName) } };
    }
    case 'KubernetesGateway':
      return { kind, value: gateway(spec, context) };
    case 'ListenerSet':
      return { kind, value: listenerSet(spec, context) };
    case 'HTTPRoute':
    case 'GRPCRoute':
      return { kind, value: requestRoute(spec, context, kind) };
    case 'TLSRoute':
    case 'TCPRoute':
      return { kind, value: connectionRoute(spec, context, kind) };
    case 'ReferenceGrant':
      return { kind, value: referenceGrant(spec, context) };
    case 'BackendTLSPolicy':
      return { kind, value: backendTlsPolicy(spec, context) };
    default:
      return kind satisfies never;
  }
}
