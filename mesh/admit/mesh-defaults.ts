import type { MeshDefaults } from '../model/mesh-defaults.ts';
import type { Visibility } from '../model/service.ts';
import { tcpKeepalive, upgrade } from './destination-rule/connection-pool.ts';
import { duration } from './duration.ts';
import { type Field, itemsOf } from './field.ts';
import { isNamespaceName } from './hosts.ts';
import { shorten } from './node.ts';
import { requiredText } from './scalar.ts';
import { retries } from './virtual-service/retries.ts';

export const DEFAULTS = [
  'connectTimeout',
  'tcpKeepalive',
  'h2UpgradePolicy',
  'defaultHttpRetryPolicy',
  'defaultInboundHttpRetryPolicy',
  'defaultServiceExportTo',
  'defaultVirtualServiceExportTo',
  'defaultDestinationRuleExportTo',
] as const;

type Fields = Record<(typeof DEFAULTS)[number], Field>;

/** What a MeshConfig says for objects that say nothing; undefined when it says nothing either. */
export function meshDefaults(fields: Fields): MeshDefaults | undefined {
  if (!DEFAULTS.some((name) => fields[name].given)) return undefined;
  return {
    connectTimeoutMs: duration(fields.connectTimeout, 1),
    tcpKeepalive: tcpKeepalive(fields.tcpKeepalive),
    upgradeToHttp2: upgrade(fields.h2UpgradePolicy),
    retries: retries(fields.defaultHttpRetryPolicy),
    inboundRetries: retries(fields.defaultInboundHttpRetryPolicy),
    exportTo: {
      service: exported(fields.defaultServiceExportTo),
      virtualService: exported(fields.defaultVirtualServiceExportTo),
      destinationRule: exported(fields.defaultDestinationRuleExportTo),
    },
  };
}

function exported(field: Field): Visibility | undefined {
  if (!field.given) return undefined;
  const names = itemsOf(field).map((item) => {
    const name = requiredText(item);
    if (name !== '' && name !== '*' && name !== '.' && name !== '~' && !isNamespaceName(name))
      item.error('bad-namespace', `"${shorten(name)}" is no namespace`, 'use a namespace name, "." for its own or "*" for all');
    return name;
  });
  if (names.length === 0 || names.includes('*')) return { kind: 'all' };
  return { kind: 'namespaces', namespaces: names.filter((name) => name !== '~') };
}
