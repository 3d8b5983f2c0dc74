import type { GatewayHost } from '../../model/gateway.ts';
import { parseHostname } from '../../model/hostname.ts';
import type { Context } from '../context.ts';
import type { Field } from '../field.ts';
import { isNamespaceName } from '../hosts.ts';
import { shorten } from '../node.ts';
import { requiredText } from '../scalar.ts';

/** `host`, or `namespace/host` to say whose VirtualServices may bind (`*` any, `.` the gateway's own). */
export function gatewayHost(field: Field, context: Context): GatewayHost | undefined {
  const written = requiredText(field, 'as "*" or "*.example.com"');
  if (written === '') return undefined;
  const at = written.indexOf('/');
  const namespace = at < 0 ? '*' : written.slice(0, at);
  const name = at < 0 ? written : written.slice(at + 1);
  if (namespace !== '*' && namespace !== '.' && !isNamespaceName(namespace)) {
    field.error('bad-namespace', `"${shorten(namespace)}" is no namespace`, 'write namespace/host, ./host or */host');
    return undefined;
  }
  const host = parseHostname(name);
  if (host === undefined || /^\*[^.]/.test(host)) {
    field.error('bad-host', `"${shorten(name)}" is no host name`, 'a name, *.example.com or "*"');
    return undefined;
  }
  if (host !== '*' && !host.includes('.')) {
    field.error('bad-host', `"${shorten(name)}" is a short name`, 'write the whole host name, as shop.example.com');
    return undefined;
  }
  return { namespace: namespace === '.' ? context.meta.namespace : namespace, host };
}
