import { isIP } from 'node:net';
import { parsed, refused, type Parsed } from '../../ca/identity/parsed.ts';
import type { PodClaim } from '../resources/proxy.ts';

/** A proxy's own word on what it is. Only what its certificate proves is believed. */
export type NodeId =
  | { readonly kind: PodClaim['kind']; readonly text: string; readonly pod: string; readonly namespace: string }
  | { readonly kind: 'agent'; readonly text: string };

const KINDS: ReadonlyMap<string, PodClaim['kind']> = new Map([
  ['sidecar', 'sidecar'],
  ['router', 'gateway'],
]);

/** RFC 1123 label, as Kubernetes names namespaces. */
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
/** RFC 1123 subdomain, as Kubernetes names pods and DNS names hosts. Linear: no nested repetition over the same characters. */
const SUBDOMAIN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const LONGEST = 1024;

/**
 * Parses `sidecar~IP~POD.NAMESPACE~DOMAIN` or `router~...` (Istio's grammar of node ids; the namespace has no dot, the pod
 * may), or `agent~NAME`, an agent of ours by whatever name tells its machine and process.
 */
export function parseNodeId(text: string): Parsed<NodeId> {
  if (text === '') return refused('the first request must carry node.id');
  if (text.length > LONGEST) return refused(`node.id is longer than ${LONGEST} characters`);
  const [kindText = '', ip = '', name = '', domain = '', ...rest] = text.split('~');
  if (kindText === 'agent') {
    return isName(ip) && name === '' && domain === '' && rest.length === 0
      ? parsed({ kind: 'agent', text })
      : refused('node.id of an agent must be agent~NAME, its name as of a DNS host');
  }
  const kind = KINDS.get(kindText);
  if (kind === undefined) return refused('node.id must begin with sidecar~ or router~');
  if (rest.length > 0 || domain === '') return refused('node.id must be KIND~IP~POD.NAMESPACE~DOMAIN');
  if (isIP(ip) === 0) return refused('node.id: the second part must be an IP address');
  if (!isName(domain)) return refused('node.id: the domain is not a DNS name');
  const dot = name.lastIndexOf('.');
  const [pod, namespace] = [name.slice(0, Math.max(dot, 0)), name.slice(dot + 1)];
  if (!isName(pod) || !LABEL.test(namespace)) return refused('node.id: the third part must be POD.NAMESPACE');
  return parsed({ text, kind, pod, namespace });
}

function isName(text: string): boolean {
  return text.length <= 253 && SUBDOMAIN.test(text);
}
