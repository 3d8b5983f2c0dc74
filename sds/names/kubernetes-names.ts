import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';

/** A Kubernetes Secret, and which part of it. */
export interface KubernetesName {
  readonly namespace: string;
  readonly name: string;
  /** Only the authorities in it: the name with `-cacert`. */
  readonly authorities: boolean;
}

const SCHEMES: readonly string[] = Object.freeze(['kubernetes://', 'kubernetes-gateway://']);
const CACERT = '-cacert';
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/**
 * Parses the names that Istio gives to the secrets of gateways: `kubernetes://NAME`, in the gateway's own namespace, and
 * `kubernetes://NAMESPACE/NAME`. Undefined when the name is of another kind.
 */
export function parseKubernetesName(text: string, ownNamespace: string): Parsed<KubernetesName> | undefined {
  const scheme = SCHEMES.find((candidate) => text.startsWith(candidate));
  if (scheme === undefined) return undefined;
  const parts = text.slice(scheme.length).split('/');
  const [first = '', second] = parts;
  const [namespace, full] = second === undefined ? [ownNamespace, first] : [first, second];
  if (parts.length > 2 || !NAME.test(namespace) || !NAME.test(full)) return refused('is not kubernetes://[NAMESPACE/]NAME');
  const authorities = full.endsWith(CACERT) && full.length > CACERT.length;
  return parsed({ namespace, name: authorities ? full.slice(0, -CACERT.length) : full, authorities });
}
