import { PROXY_ID } from '../capture/options.ts';
import type { TextMap } from './json.ts';

/** OpenShift gives each namespace its own users, `FIRST/COUNT` or `FIRST-LAST`: the last of them is the proxy's, as Istio chooses it. */
export function proxyUserOf(namespaceAnnotations: TextMap): number {
  const range = namespaceAnnotations['openshift.io/sa.scc.uid-range'] ?? '';
  const [, first = '', separator = '', second = ''] = /^(\d{1,10})([/-])(\d{1,10})$/.exec(range.trim()) ?? [];
  if (separator === '') return PROXY_ID;
  const last = separator === '/' ? Number(first) + Number(second) - 1 : Number(second);
  return last > 0 && last < 2 ** 32 - 1 ? last : PROXY_ID;
}
