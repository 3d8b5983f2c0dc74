import type { PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';
import { ANY, DIGITS, type Language, SEGMENT, SOME, text } from './language.ts';

// Which texts values of policies stand for. This is only for finding texts that tell values apart: whether a text matches
// is asked of policy/evaluate.

/** Of one text. */
export function ofText(value: PolicyMatch, anyCase = false): readonly Language[] {
  switch (value.kind) {
    case 'exact':
      return [[text(value.value, anyCase)]];
    case 'prefix':
      return [[text(value.value, anyCase), ANY]];
    case 'suffix':
      return [[ANY, text(value.value, anyCase)]];
    case 'present':
      return [[SOME]];
    case 'template':
      return [
        value.value
          .split(/(\{\*\*?\})/)
          .filter((part) => part !== '')
          .map((part) => (part === '{**}' ? ANY : part === '{*}' ? SEGMENT : text(part))),
      ];
    default:
      return value satisfies never;
  }
}

/** Of a Host header: its port may count or not. */
export function ofHost(value: PolicyMatch): readonly Language[] {
  const bare = ofText(value, true);
  return [...bare, ...bare.map((language) => [...language, text(':'), DIGITS])];
}

function ownNames({ trustDomain, trustDomainAliases }: MeshConfig): readonly string[] {
  return [trustDomain, ...trustDomainAliases];
}

/** Of SPIFFE IDs; see policy/evaluate/peer.ts for what trust domains do. */
export function ofPrincipal(value: PolicyMatch, meshConfig: MeshConfig): readonly Language[] {
  if (value.kind === 'present' || value.kind === 'template') return ofText(value);
  const scheme = 'spiffe://';
  const bare = value.kind !== 'suffix' && value.value.startsWith(scheme) ? value.value.slice(scheme.length) : value.value;
  const slash = bare.indexOf('/');
  const rest = slash < 0 ? undefined : bare.slice(slash);
  const own = ownNames(meshConfig);
  const aliased: readonly Language[] =
    rest === undefined ? [] : own.map((name) => [text(name + rest), ...(value.kind === 'prefix' ? [ANY] : [])]);
  return [...ofText({ kind: value.kind, value: bare }), ...aliased];
}

/** Of SPIFFE IDs whose namespace it is. */
export function ofNamespace(value: PolicyMatch): readonly Language[] {
  switch (value.kind) {
    case 'present':
      return [[SOME, text('/ns/'), ANY, text('/'), ANY]];
    case 'prefix':
      return [[SOME, text(`/ns/${value.value}`), ANY, text('/'), ANY]];
    case 'suffix':
      return [[SOME, text('/ns/'), ANY, text(`${value.value}/`), ANY]];
    case 'exact':
    case 'template':
      return [[SOME, text(`/ns/${value.value}/`), ANY]];
    default:
      return value satisfies never;
  }
}

/** Of SPIFFE IDs of a service account, `NAMESPACE/NAME` or NAME. */
export function ofServiceAccount(value: PolicyMatch, ownNamespace: string): readonly Language[] {
  if (value.kind !== 'exact') return [];
  const slash = value.value.indexOf('/');
  const namespace = slash < 0 ? ownNamespace : value.value.slice(0, slash);
  return [[SOME, text(`/ns/${namespace}/sa/${value.value.slice(slash + 1)}`)]];
}

/** Of SPIFFE IDs in that trust domain. */
export function ofTrustDomain(value: PolicyMatch): readonly Language[] {
  return ofText(value).map((language) => [...language, text('/'), ANY]);
}

/** Of SPIFFE IDs under one of the mesh's own names. */
export function ofOwnDomain(meshConfig: MeshConfig): readonly Language[] {
  return ownNames(meshConfig).map((name) => [text(`${name}/`), ANY]);
}
