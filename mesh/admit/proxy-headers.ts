import { type Field, fieldsOf } from './field.ts';
import { flag } from './scalar.ts';

/**
 * `proxyHeaders` of Istio's ProxyConfig (`defaultConfig` of the mesh configuration), of which `xForwardedHost` is applied: where a
 * route rewrites the host, the application is told the one that was asked for.
 */
export function forwardsHost(proxyConfig: Field): boolean {
  const fields = fieldsOf(proxyConfig, ['proxyHeaders'], 'tolerant');
  const { xForwardedHost } = fieldsOf(fields.proxyHeaders, ['xForwardedHost'], 'tolerant');
  const { node } = fields.proxyHeaders;
  if (node?.kind === 'map' && [...node.entries.keys()].some((name) => name !== 'xForwardedHost'))
    fields.proxyHeaders.warning('not-yet-applied', 'only xForwardedHost is applied yet', 'the rest has no effect');
  return flag(fieldsOf(xForwardedHost, ['enabled']).enabled) === true;
}
