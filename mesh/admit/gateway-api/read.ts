import {
  type BackendTlsPolicy,
  type ConnectionRoute,
  type FrontendValidation,
  type GatewayApiObject,
  type KubernetesGateway,
  type ListenerSet,
  type ObjectRef,
  type ReferenceGrant,
  type RequestRoute,
} from '../../model/gateway-api.ts';
import { GATEWAY_API_GROUP } from '../../model/gateway-api-kinds.ts';
import { resolveHostname } from '../../model/hostname.ts';
import type { Port } from '../../model/port.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { plainHostname } from '../hosts.ts';
import { oneOf, optionalText, port, requiredText, text } from '../scalar.ts';
import { frontendValidation, fromNamespaces, listeners, NO_VALIDATION } from './listener.ts';
import { backendRef, noFilters, objectRef, parentRefs } from './references.ts';
import { requestRule } from './request-rule.ts';

/** Client certificates of all HTTPS listeners, and of those of single ports. */
function frontend(field: Field, context: Context): KubernetesGateway['frontend'] {
  const fields = fieldsOf(field, ['default', 'perPort']);
  const found = new Map<Port | undefined, FrontendValidation>();
  const { validation } = fieldsOf(fields.default, ['validation']);
  if (validation.given) found.set(undefined, frontendValidation(validation, context));
  for (const item of itemsOf(fields.perPort)) {
    const one = fieldsOf(item, ['port', 'tls']);
    const number = port(one.port);
    const own = fieldsOf(one.tls, ['validation']).validation;
    // A port that is named without validation has none: it is another setting than that of all ports.
    if (number !== undefined) found.set(number, own.given ? frontendValidation(own, context) : NO_VALIDATION);
  }
  return found;
}

/** What a class or Gateway names has no effect here, but it must be there. */
function parameters(field: Field, context: Context): ObjectRef | undefined {
  if (!field.given) return undefined;
  field.warning('no-effect', 'parameters have no effect here', 'remove them');
  return objectRef(field, context, '', 'ConfigMap');
}

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
  const infrastructure = fieldsOf(fields.infrastructure, ['labels', 'annotations', 'parametersRef']);
  const { namespace } = context.meta;
  const asked = itemsOf(fields.addresses).map((item) => {
    const one = fieldsOf(item, ['type', 'value']);
    return { type: optionalText(one.type) ?? 'IPAddress', value: optionalText(one.value) ?? '' };
  });
  const tls = fieldsOf(fields.tls, ['frontend', 'backend']);
  // `spec.backendTLS` is what `spec.tls.backend` was called before.
  const backend = fieldsOf(fields.backendTLS.given ? fields.backendTLS : tls.backend, ['clientCertificateRef']);
  const found = listeners(fields.listeners, context);
  return {
    meta: context.meta,
    className: requiredText(fields.gatewayClassName, 'as gatewayClassName: istio'),
    listeners: found,
    addresses: asked.flatMap(({ type, value }) =>
      type === 'Hostname' ? (resolveHostname(value, namespace, context.meshConfig.clusterDomain) ?? []) : [],
    ),
    otherAddresses: asked.filter(({ type }) => type !== 'Hostname'),
    frontend: frontend(tls.frontend, context),
    clientCertificate: backend.clientCertificateRef.given
      ? objectRef(backend.clientCertificateRef, context, '', 'Secret')
      : undefined,
    parameters: parameters(infrastructure.parametersRef, context),
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
  const parents = parentRefs(fields.parentRefs, context);
  const rules = itemsOf(fields.rules).map((item) => {
    const rule = requestRule(item, context, kind);
    if (rule.session !== undefined && parents.some((parent) => parent.kind === 'Service'))
      item.warning(
        'not-yet-applied',
        'sessionPersistence holds at Gateways, and not for callers in the mesh',
        'use a DestinationRule with consistentHash for those',
      );
    return rule;
  });
  return {
    kind,
    meta: context.meta,
    parents,
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
    rules: itemsOf(fields.rules).map((item, at) => {
      const rule = fieldsOf(item, ['name', 'backendRefs']);
      text(rule.name);
      // The API says of several rules nothing but how many there may be: of TLSRoutes one since v1.
      if (at > 0)
        item.warning(
          'unreachable-route',
          `rules of a ${kind} match alike: the first takes every connection, and this one none`,
          'put its backendRefs into the first rule, or make it a route of its own for other hostnames or another listener',
        );
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
  const system = oneOf(validation.wellKnownCACertificates, ['System']) !== undefined;
  const refs = itemsOf(validation.caCertificateRefs).map((item) => objectRef(item, context, '', 'ConfigMap'));
  if (system && refs.length > 0)
    validation.caCertificateRefs.error('contradiction', 'stands beside wellKnownCACertificates', 'remove one of them');
  if (!system && refs.length === 0)
    fields.validation.error(
      'missing-field',
      'says by whose certificates the target is known',
      'as wellKnownCACertificates: System',
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
    authorities: system ? 'system' : refs,
  };
}

/** Reads the spec of an object of gateway.networking.k8s.io. */
export function readGatewayApi(kind: GatewayApiObject['kind'], spec: Field, context: Context): GatewayApiObject {
  switch (kind) {
    case 'GatewayClass': {
      const fields = fieldsOf(spec, ['controllerName', 'description', 'parametersRef']);
      const controller = requiredText(fields.controllerName, 'as controllerName: gatehouse.dev/gateway-controller');
      return { kind, value: { meta: context.meta, controller, parameters: parameters(fields.parametersRef, context) } };
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
