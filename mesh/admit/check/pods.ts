import type { Diagnostic } from '../../model/diagnostic.ts';
import { itemsAt, nodeAt, numberAt, textAt } from '../node-path.ts';
import type { Node } from '../node.ts';
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

/** Applications that run as the user that is the proxy's. */
export function proxyUsers(inventory: Inventory): readonly Diagnostic[] {
  const templates = [
    ...inventory.kubernetes('Pod').map((one) => ({ one, path: 'spec', spec: nodeAt(one.node, 'spec') })),
    ...['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job'].flatMap((kind) =>
      inventory
        .kubernetes(kind)
        .map((one) => ({ one, path: 'spec.template.spec', spec: nodeAt(one.node, 'spec', 'template', 'spec') })),
    ),
  ];
  return templates.flatMap(({ one, path, spec }) => {
    const field = proxyUser(spec, path);
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
}
