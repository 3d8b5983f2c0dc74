import type { Diagnostic } from '../../model/diagnostic.ts';
import { selects } from '../../model/object.ts';
import { itemsAt, labelsAt, nodeAt, textsAt } from '../node-path.ts';
import { shorten } from '../node.ts';
import type { Written } from '../written.ts';
import { foundInEach } from '../../model/found-in.ts';
import { byName, finding, type Inventory } from './inventory.ts';

const CLAIMS = '@request.auth.claims';

interface ClaimMatch {
  readonly field: string;
  readonly header: string;
}

interface ByClaims {
  readonly service: Written;
  readonly first: ClaimMatch;
}

/** VirtualServices that route by claims. */
const byClaims = foundInEach<Written, ByClaims>((service) => {
  const [first] = claimMatches(service);
  return first === undefined ? [] : [{ service, first }];
});

function claimMatches(service: Written): readonly ClaimMatch[] {
  return itemsAt(service.node, 'spec', 'http').flatMap((route, rule) =>
    itemsAt(route, 'match').flatMap((match, at) =>
      ['headers', 'withoutHeaders'].flatMap((list) => {
        const headers = nodeAt(match, list);
        if (headers?.kind !== 'map') return [];
        return [...headers.entries.keys()]
          .filter((name) => name.startsWith(CLAIMS))
          .map((header) => ({ field: `spec.http[${rule}].match[${at}].${list}["${header}"]`, header }));
      }),
    ),
  );
}

/** True when some RequestAuthentication is for the proxies of a Gateway. */
function verifies(inventory: Inventory, gateway: Written): boolean {
  const selector = labelsAt(gateway.node, 'spec', 'selector');
  const namespaces = new Set([...inventory.gatewayNamespaces(selector), inventory.part('meshConfig').rootNamespace]);
  const proxies = inventory.selected(selector).flatMap(({ labels }) => (selects(selector, labels) ? [labels] : []));
  return inventory.istio('RequestAuthentication').some(({ namespace, node }) => {
    if (!namespaces.has(namespace) || nodeAt(node, 'spec', 'targetRefs') !== undefined) return false;
    const wanted = labelsAt(node, 'spec', 'selector', 'matchLabels');
    return [selector, ...proxies].some((labels) => selects(wanted, labels));
  });
}

/** Routes by claims of tokens at gateways where no token is verified. */
export function claimRoutes(inventory: Inventory): readonly Diagnostic[] {
  const services = byClaims(inventory.istio('VirtualService'));
  if (services.length === 0) return [];
  const gateways = inventory.istio('Gateway');
  return services.flatMap(({ service, first }) => {
    const blind = textsAt(service.node, 'spec', 'gateways').find((written) => {
      const [gateway] = byName(gateways, written.includes('/') ? written : `${service.namespace}/${written}`);
      return gateway !== undefined && !verifies(inventory, gateway);
    });
    if (blind === undefined) return [];
    return [
      finding(
        service,
        first.field,
        'warning',
        'claim-never-verified',
        `routes by ${shorten(first.header)}, and no RequestAuthentication is for the proxies of Gateway ${shorten(blind)}: this match never holds`,
        "add a RequestAuthentication with the issuer that selects the gateway's pods, in their namespace",
      ),
    ];
  });
}
