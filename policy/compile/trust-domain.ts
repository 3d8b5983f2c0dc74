import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';

/** In a policy this name stands for the mesh's own trust domain, whatever that is called. */
const LOCAL = 'cluster.local';

/**
 * The principals a policy value stands for once trust-domain aliases count: a principal of the local trust domain, of an
 * alias or of the literal `cluster.local` is any of them; one of another trust domain is itself only. A suffix such as
 * `*-td/ns/a/sa/b` keeps the domains that it covers as written. Meaning as Istio's trustdomain.Bundle.
 */
export function withAliases(value: PolicyMatch, meshConfig: MeshConfig): readonly PolicyMatch[] {
  if (value.kind === 'present' || value.kind === 'template') return [value];
  const slash = value.value.indexOf('/');
  if (slash < 0) return [value];
  const domain = value.value.slice(0, slash);
  const rest = value.value.slice(slash);
  const domains = [...new Set([meshConfig.trustDomain, ...meshConfig.trustDomainAliases])];
  if (value.kind !== 'suffix') {
    if (domain !== LOCAL && !domains.includes(domain)) return [value];
    return domains.map((name) => ({ kind: value.kind, value: name + rest }));
  }
  // A suffix names a trust domain only when nothing but a domain can precede it: `*x/ns/NS/sa/SA`.
  if (domain === '' || rest.split('/').length !== 5 || !domains.some((name) => name.endsWith(domain))) return [value];
  return [
    value,
    ...domains.filter((name) => !name.endsWith(domain)).map((name) => ({ kind: 'exact', value: name + rest }) as const),
  ];
}
