import type {
  FromNamespaces,
  FrontendValidation,
  LabelSelector,
  Listener,
  ListenerProtocol,
  ObjectRef,
} from '../../model/gateway-api.ts';
import { GATEWAY_API_GROUP } from '../../model/gateway-api-kinds.ts';
import { type ServerTls, terminatedWith } from '../../model/gateway.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { plainHostname } from '../hosts.ts';
import { oneOf, optionalText, port, requiredText, text, textMap, texts } from '../scalar.ts';
import { objectRef } from './references.ts';

function labelSelector(field: Field): LabelSelector {
  const fields = fieldsOf(field, ['matchLabels', 'matchExpressions']);
  return {
    matchLabels: textMap(fields.matchLabels),
    matchExpressions: itemsOf(fields.matchExpressions).map((item) => {
      const one = fieldsOf(item, ['key', 'operator', 'values']);
      return {
        key: requiredText(one.key, 'as key: team'),
        operator: oneOf(one.operator, ['In', 'NotIn', 'Exists', 'DoesNotExist']) ?? requiredText(one.operator, 'as operator: In'),
        values: texts(one.values),
      };
    }),
  };
}

export function fromNamespaces(field: Field, otherwise: 'Same' | 'None'): FromNamespaces {
  const fields = fieldsOf(field, ['from', 'selector']);
  const from = oneOf(fields.from, ['Same', 'All', 'None', 'Selector']) ?? otherwise;
  return from === 'Selector' ? { kind: 'Selector', selector: labelSelector(fields.selector) } : { kind: from };
}

interface Tls {
  readonly tls: ServerTls;
  readonly certificates: readonly ObjectRef[];
}

/** A port on which clients show no certificate. */
export const NO_VALIDATION: FrontendValidation = Object.freeze({ authorities: [], insecure: true });

export function frontendValidation(field: Field, context: Context): FrontendValidation {
  const fields = fieldsOf(field, ['caCertificateRefs', 'mode']);
  const authorities = itemsOf(fields.caCertificateRefs).map((item) => objectRef(item, context, '', 'ConfigMap'));
  if (authorities.length === 0)
    fields.caCertificateRefs.error(
      'missing-field',
      'names no authority of clients',
      'as - {group: "", kind: ConfigMap, name: ca}',
    );
  const mode = oneOf(fields.mode, ['AllowValidOnly', 'AllowInsecureFallback']);
  return { authorities, insecure: mode === 'AllowInsecureFallback' };
}

/** The certificates are resolved when all objects are known, since a grant may be needed. */
function listenerTls(field: Field, context: Context, protocol: Listener['protocol']): Tls {
  const fields = fieldsOf(field, ['mode', 'certificateRefs', 'options', 'frontendValidation']);
  textMap(fields.options);
  const mode = oneOf(fields.mode, ['Terminate', 'Passthrough']) ?? 'Terminate';
  const certificates = itemsOf(fields.certificateRefs).map((item) => objectRef(item, context, '', 'Secret'));
  if (fields.frontendValidation.given)
    fields.frontendValidation.error('unknown-field', 'has moved', 'write spec.tls.frontend.default.validation of the Gateway');
  if (protocol === 'other') return { tls: { kind: 'unavailable' }, certificates: [] };
  if (protocol === 'HTTP' || protocol === 'TCP') return { tls: { kind: 'none' }, certificates: [] };
  if (mode === 'Passthrough' && protocol === 'TLS') return { tls: { kind: 'passthrough' }, certificates: [] };
  if (mode === 'Passthrough') {
    fields.mode.error('contradiction', 'a listener of HTTPS ends TLS', 'use protocol: TLS with mode: Passthrough');
    return { tls: { kind: 'unavailable' }, certificates: [] };
  }
  return { tls: terminatedWith([]), certificates };
}

const PROTOCOLS: ReadonlyMap<string, ListenerProtocol> = new Map(
  (['HTTP', 'HTTPS', 'TLS', 'TCP'] as const).map((protocol) => [protocol, protocol]),
);

export function listeners(field: Field, context: Context): readonly Listener[] {
  const names = new Set<string>();
  return itemsOf(field).flatMap((item) => {
    const fields = fieldsOf(item, ['name', 'hostname', 'port', 'protocol', 'tls', 'allowedRoutes']);
    const name = requiredText(fields.name, 'as name: http');
    if (names.has(name)) fields.name.error('duplicate', `the listener ${name} is there twice`, 'name each differently');
    names.add(name);
    if (!fields.port.given) fields.port.error('missing-field', 'port must be given', 'as port: 80');
    const number = port(fields.port);
    const protocol = PROTOCOLS.get(requiredText(fields.protocol, 'as protocol: HTTP')) ?? 'other';
    const { tls, certificates } = listenerTls(fields.tls, context, protocol);
    const allowed = fieldsOf(fields.allowedRoutes, ['namespaces', 'kinds']);
    const kinds = itemsOf(allowed.kinds).map((kind) => {
      const one = fieldsOf(kind, ['group', 'kind']);
      return { group: one.group.given ? text(one.group) : GATEWAY_API_GROUP, kind: requiredText(one.kind, 'as kind: HTTPRoute') };
    });
    const hostname = optionalText(fields.hostname) === undefined ? undefined : plainHostname(fields.hostname);
    const from = fromNamespaces(allowed.namespaces, 'Same');
    return number === undefined ? [] : [{ name, hostname, port: number, protocol, from, kinds, tls, certificates }];
  });
}
