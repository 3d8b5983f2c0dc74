import type { HttpMatch } from '../../model/virtual-service.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { isNamespaceName } from '../hosts.ts';
import { flag, optionalText, port, textMap } from '../scalar.ts';
import { gatewayNames } from './gateway-name.ts';
import { headerMatches, requiredStringMatch } from './string-match.ts';

const KNOWN = [
  'name',
  'uri',
  'scheme',
  'method',
  'authority',
  'headers',
  'port',
  'sourceLabels',
  'gateways',
  'queryParams',
  'ignoreUriCase',
  'withoutHeaders',
  'sourceNamespace',
  'statPrefix',
] as const;

export function httpMatches(field: Field, context: Context): readonly HttpMatch[] {
  return itemsOf(field).map((item) => {
    const fields = fieldsOf(item, KNOWN);
    const namespace = optionalText(fields.sourceNamespace);
    if (namespace !== undefined && !isNamespaceName(namespace))
      fields.sourceNamespace.error('bad-namespace', 'is no namespace name');
    return {
      name: optionalText(fields.name),
      uri: requiredStringMatch(fields.uri),
      ignoreUriCase: flag(fields.ignoreUriCase) ?? false,
      scheme: requiredStringMatch(fields.scheme),
      method: requiredStringMatch(fields.method),
      authority: requiredStringMatch(fields.authority),
      headers: headerMatches(fields.headers, 'header'),
      withoutHeaders: headerMatches(fields.withoutHeaders, 'header'),
      queryParams: headerMatches(fields.queryParams, 'parameter'),
      port: port(fields.port),
      sourceLabels: textMap(fields.sourceLabels),
      sourceNamespace: namespace,
      gateways: gatewayNames(fields.gateways, context),
      statPrefix: optionalText(fields.statPrefix),
    };
  });
}
