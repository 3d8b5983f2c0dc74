import type { Diagnostic } from '../../model/diagnostic.ts';
import { itemsAt, nodeAt, numberAt, textAt } from '../node-path.ts';
import type { Node } from '../node.ts';
import type { Written } from '../written.ts';
import { foundInEach } from '../../model/found-in.ts';
import { finding, type Inventory } from './inventory.ts';

/** The user as which proxies run; what it sends is not captured, or it would be captured again and again. */
const PROXY_UID = 1337;

function proxyUser(spec: Node | undefined, path: string): string | undefined {
  if (numberAt(spec, 'securityContext', 'runAsUser') === PROXY_UID) return `${path}.securityContext.runAsUser`;
  for (const list of ['containers', 'initContainers']) {
    for (const [at, container] of itemsAt(spec, list).entries()) {
      const name = textAt(container, 'name');
      if (name === 'istio-proxy' || name === 'istio-init' || name === 'istio-validation') continue;
      if (numberAt(container, 'securityContext', 'runAsUser') === PROXY_UID)
        return `${path}.${list}[${at}].securityContext.runAsUser`;
    }
  }
  return undefined;
}

const PLACES: readonly (readonly [kind: string, path: string])[] = Object.freeze([
  ['Pod', 'spec'],
  ...['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job'].map((kind) => [kind, 'spec.template.spec'] as const),
]);

const inPod = (path: string) =>
  foundInEach<Written, Diagnostic>((one) => {
    const field = proxyUser(nodeAt(one.node, ...path.split('.')), path);
    if (field === undefined) return [];
    return [
      finding(
        one,
        field,
        'warning',
        'proxy-user',
        `the application runs as user ${PROXY_UID}, which is the proxy's: its traffic passes by the proxy, without identity and policy`,
        'use another user',
      ),
    ];
  });

const PASSES = Object.freeze(PLACES.map(([kind, path]) => ({ kind, found: inPod(path) })));

/** Applications that run as the user that is the proxy's. */
export function proxyUsers(inventory: Inventory): readonly Diagnostic[] {
  return PASSES.flatMap(({ kind, found }) => found(inventory.kubernetes(kind)));
}
