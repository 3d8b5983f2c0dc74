import type { FromNamespaces, LabelSelector, Listener, ObjectRef } from '../../model/gateway-api.ts';
import type { ServerTls } from '../../model/gateway.ts';
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

/** The certificates are resolved when all objects are known, since a grant may be needed. */
function listenerTls(field: Field, context: Context, protocol: Listener['protocol'] | undefined): Tls {
  const fields = fieldsOf(field, ['mode', 'certificateRefs', 'options', 'frontendValidation']);
  textMap(fields.options);
  const mode = oneOf(fields.mode, ['Terminate', 'Passthrough']) ?? 'Terminate';
  const certificates = itemsOf(fields.certificateRefs).map((item) => objectRef(item, context, '', 'Secret'));
  if (protocol === 'HTTP' || protocol === 'TCP' || protocol === undefined) return { tls: { kind: 'none' }, certificates: [] };
  if (mode === 'Passthrough' && protocol === 'TLS') return { tls: { kind: 'passthrough' }, certificates: [] };
  if (mode === 'Passthrough') {
    fields.mode.error('contradiction', 'a listener of HTTPS ends TLS', 'use protocol: TLS with mode: Passthrough');
    return { tls: { kind: 'unavailable' }, certificates: [] };
  }
  if (fields.frontendValidation.given) {
    fields.frontendValidation.warning(
      'not-yet-applied',
      'frontendValidation is not applied yet; the listener is not opened',
      'use a Gateway of networking.istio.io with mode: MUTUAL',
    );
    return { tls: { kind: 'unavailable' }, certificates: [] };
  }
  return {
    tls: {
      kind: 'terminate',
      clients: 'none',
      keyPairs: [],
      authorities: undefined,
      subjectAltNames: [],
      verifyCertificateSpki: [],
      verifyCertificateHash: [],
      minVersion: undefined,
      maxVersion: undefined,
      cipherSuites: [],
    },
    certificates,
  };
}

export function listeners(field: Field, context: Context): readonly Listener[] {
  const names = new Set<string>();
  return itemsOf(field).flatMap((item) => {
    const fields = fieldsOf(item, ['name', 'hostname', 'port', 'protocol', 'tls', 'allowedRoutes']);
    const name = requiredText(fields.name, 'as name: http');
    if (names.has(name)) fields.name.error('duplicate', `the listener ${name} is there twice`, 'name each differently');
    names.add(name);
    if (!fields.port.given) fields.port.error('missing-field', 'port must be given', 'as port: 80');
    const number = port(fields.port);
    requiredText(fields.protocol, 'as protocol: HTTP');
    const protocol = text(fields.protocol) === '' ? undefined : oneOf(fields.protocol, ['HTTP', 'HTTPS', 'TLS', 'TCP']);
    const { tls, certificates } = listenerTls(fields.tls, context, protocol);
    const allowed = fieldsOf(fields.allowedRoutes, ['namespaces', 'kinds']);
    const kinds = itemsOf(allowed.kinds).map((kind) => {
      const one = fieldsOf(kind, ['group', 'kind']);
      text(one.group);
      return requiredText(one.kind, 'as kind: HTTPRoute');
    });
    const hostname = optionalText(fields.hostname) === undefined ? undefined : plainHostname(fields.hostname);
    const from = fromNamespaces(allowed.namespaces, 'Same');
    return number === undefined || protocol === undefined
      ? []
      : [{ name, hostname, port: number, protocol, from, kinds, tls, certificates }];
  });
}
