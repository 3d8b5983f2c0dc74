import type { Diagnostic } from '../../model/diagnostic.ts';
import { itemsAt, nodeAt, textAt } from '../node-path.ts';
import type { Node } from '../node.ts';
import type { Written } from '../written.ts';
import { foundInEach } from '../../model/found-in.ts';
import { finding, type Inventory } from './inventory.ts';

const FIELDS = Object.freeze(['caCertificates', 'credentialName', 'caCrl']);

/** TLS toward a server whose authority is not named. */
function isUnnamed(tls: Node | undefined): boolean {
  const mode = textAt(tls, 'mode');
  if (mode !== 'SIMPLE' && mode !== 'MUTUAL') return false;
  const skips = nodeAt(tls, 'insecureSkipVerify');
  if (skips?.kind === 'scalar' && skips.value === true) return false;
  return FIELDS.every((name) => textAt(tls, name) === '');
}

const inRules = foundInEach<Written, Diagnostic>((rule) => {
  const policy = nodeAt(rule.node, 'spec', 'trafficPolicy');
  const fields = [
    ...(isUnnamed(nodeAt(policy, 'tls')) ? ['spec.trafficPolicy.tls'] : []),
    ...itemsAt(policy, 'portLevelSettings').flatMap((level, at) =>
      isUnnamed(nodeAt(level, 'tls')) ? [`spec.trafficPolicy.portLevelSettings[${at}].tls`] : [],
    ),
  ];
  return fields.map((field) =>
    finding(
      rule,
      field,
      'info',
      'system-authorities',
      "names no caCertificates: the server's certificate is checked against the authorities of the operating system, and one of a private authority is refused",
      'add caCertificates, or credentialName with a Secret that has ca.crt',
    ),
  );
});

/** DestinationRules that start TLS and do not say whose certificate the server must have. */
export function serverAuthorities(inventory: Inventory): readonly Diagnostic[] {
  return inRules(inventory.istio('DestinationRule'));
}
