import { type Hostname, parseHostname } from '../../model/hostname.ts';
import type { Ingress, IngressBackend, IngressClass, IngressPath, IngressRule, IngressTls } from '../../model/ingress.ts';
import { parsePort, type Port } from '../../model/port.ts';
import { type Context, refer } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { plainHostname } from '../hosts.ts';
import { shorten } from '../node.ts';
import { integer, oneOf, optionalText, requiredText, text } from '../scalar.ts';

const CLASS = 'kubernetes.io/ingress.class';
const DEFAULT_CLASS = 'ingressclass.kubernetes.io/is-default-class';

/** Reads an Ingress (Kubernetes API reference, networking.k8s.io/v1), and the backends of its first versions. */
export function readIngress(spec: Field, context: Context): Ingress {
  const fields = fieldsOf(spec, ['ingressClassName', 'rules', 'tls', 'defaultBackend', 'backend'], 'tolerant');
  return {
    meta: context.meta,
    annotatedClass: context.meta.annotations[CLASS],
    className: optionalText(fields.ingressClassName),
    rules: itemsOf(fields.rules).map((item) => rule(item, context)),
    tls: itemsOf(fields.tls).flatMap((item) => (item.given ? tls(item) : [])),
    defaultBackend: backend(fields.defaultBackend.given ? fields.defaultBackend : fields.backend, context),
  };
}

export function readIngressClass(spec: Field, { meta }: Context): IngressClass {
  const { controller } = fieldsOf(spec, ['controller'], 'tolerant');
  return { meta, controller: text(controller), isDefault: meta.annotations[DEFAULT_CLASS] === 'true' };
}

function rule(item: Field, context: Context): IngressRule {
  const fields = fieldsOf(item, ['host', 'http'], 'tolerant');
  const { paths } = fieldsOf(fields.http, ['paths'], 'tolerant');
  const host = fields.host.given && text(fields.host) !== '' ? plainHostname(fields.host) : undefined;
  return { host, paths: itemsOf(paths).flatMap((one) => (one.given ? path(one, context) : [])) };
}

function path(item: Field, context: Context): readonly IngressPath[] {
  const fields = fieldsOf(item, ['path', 'pathType', 'backend'], 'tolerant');
  const type = oneOf(fields.pathType, ['Exact', 'Prefix', 'ImplementationSpecific']) ?? 'ImplementationSpecific';
  const written = text(fields.path);
  if (type !== 'ImplementationSpecific' && !written.startsWith('/'))
    fields.path.error('bad-path', `"${shorten(written)}" does not begin with a slash`, 'as path: /');
  const to = backend(fields.backend, context);
  if (!fields.backend.given)
    fields.backend.error('missing-field', 'must be given', 'as backend: {service: {name: web, port: {number: 80}}}');
  return to === undefined ? [] : [{ path: written, type, backend: to }];
}

/** Undefined for one that is no Service, which Istio leaves out as well. */
function backend(field: Field, context: Context): IngressBackend | undefined {
  if (!field.given) return undefined;
  const fields = fieldsOf(field, ['service', 'resource', 'serviceName', 'servicePort'], 'tolerant');
  if (fields.resource.given) {
    fields.resource.warning('not-yet-applied', 'a backend that is no Service is not used, as in Istio', 'name a Service');
    return undefined;
  }
  const old = fields.serviceName.given;
  const service = fieldsOf(fields.service, ['name', 'port'], 'tolerant');
  const { number, name } = fieldsOf(service.port, ['number', 'name'], 'tolerant');
  const named = old ? fields.serviceName : service.name;
  const found = requiredText(named, 'as service: {name: web, port: {number: 80}}');
  const port = old ? oldPort(fields.servicePort) : (parsePort(integer(number, 1, 65535)) ?? optionalText(name));
  if (port === undefined) {
    field.error('missing-field', 'the port of the Service must be given', 'as port: {number: 80}, or port: {name: http}');
    return undefined;
  }
  const host = parseHostname(`${found}.${context.meta.namespace}.svc.${context.meshConfig.clusterDomain}`);
  if (host === undefined) {
    if (found !== '')
      named.error('bad-name', `"${shorten(found)}" is no name of a Service`, 'lower-case letters, digits and "-"');
    return undefined;
  }
  const destination = { host, subset: undefined, port: typeof port === 'string' ? undefined : port };
  refer(context, named, { kind: 'destination', destination });
  return { service: found, host, port };
}

function oldPort(field: Field): Port | string | undefined {
  return field.node?.kind === 'scalar' && typeof field.node.value === 'number'
    ? parsePort(integer(field, 1, 65535))
    : optionalText(field);
}

function tls(item: Field): readonly IngressTls[] {
  const fields = fieldsOf(item, ['hosts', 'secretName'], 'tolerant');
  const hosts = itemsOf(fields.hosts).flatMap((one): readonly Hostname[] => {
    const host = one.given ? plainHostname(one) : undefined;
    return host === undefined ? [] : [host];
  });
  const secret = optionalText(fields.secretName);
  if (secret === undefined) {
    fields.secretName.warning('no-effect', 'TLS without a Secret is not opened, as in Istio', 'as secretName: my-cert');
    return [];
  }
  return [{ hosts, secret }];
}
