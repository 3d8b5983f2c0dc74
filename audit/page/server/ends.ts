import { parseSpiffeId, trustDomainOf, withoutScheme, workloadOf } from '../../../ca/identity/spiffe-id.ts';
import type { EdgeKey } from '../../model/edge.ts';
import type { GraphNode, NodeKind } from '../api/graph.ts';
import { maySee, type Viewer } from './viewer.ts';

/** One end of a call as a node of the graph. */
export type EndNode = Omit<GraphNode, 'present'>;

export interface Ends {
  readonly source: EndNode;
  readonly target: EndNode;
}

/** Trust domains whose namespaces are ours: the mesh's own and its aliases. */
export type OwnDomains = ReadonlySet<string>;

export const OUTSIDE: EndNode = Object.freeze({
  id: 'outside:plain',
  kind: 'outside',
  namespace: '(outside)',
  name: 'callers without identity',
});

const EXTERNAL = '(external)';
const UNKNOWN: EndNode = Object.freeze({ id: 'service:', kind: 'service', namespace: EXTERNAL, name: 'unknown' });

function node(kind: NodeKind, namespace: string, name: string, full: string): EndNode {
  return { id: `${kind}:${full}`, kind, namespace, name };
}

/**
 * What is proven goes before what configuration says: an identity of another trust domain that has `ns/shop` in it is not of our
 * namespace shop.
 */
function party(principal: string, workload: string, own: OwnDomains): EndNode | undefined {
  const [namespace = '', ...rest] = workload.split('/');
  if (principal !== '') {
    const parsed = parseSpiffeId(principal);
    const domain = parsed.ok ? trustDomainOf(parsed.value) : 'unreadable';
    const identity = parsed.ok ? workloadOf(parsed.value) : undefined;
    const short = withoutScheme(principal);
    if (!own.has(domain)) return node('identity', `(trust domain ${domain})`, short.slice(domain.length + 1), short);
    if (identity === undefined) return node('identity', EXTERNAL, short.slice(domain.length + 1), short);
    if (workload === '' || namespace !== identity.namespace)
      return node('identity', identity.namespace, identity.serviceAccount, short);
  }
  return workload === '' ? undefined : node('workload', namespace, rest.join('/'), workload);
}

/** `NAME.NAMESPACE.svc...` is in that namespace; other hosts are outside. */
function service(host: string): EndNode {
  if (host === '') return UNKNOWN;
  const [name = '', namespace = '', kind] = host.split('.');
  return kind === 'svc' ? node('service', namespace, name, host) : node('service', EXTERNAL, host, host);
}

export function endsOf(key: EdgeKey, own: OwnDomains): Ends {
  return {
    source: party(key.sourcePrincipal, key.sourceWorkload, own) ?? OUTSIDE,
    target: party(key.destinationPrincipal, key.destinationWorkload, own) ?? service(key.service),
  };
}

/** Whoever may see one end may see the call: what the other end is called is part of it. */
export function visibleTo(viewer: Viewer, { source, target }: Ends): boolean {
  return maySee(viewer, source.namespace) || maySee(viewer, target.namespace);
}
