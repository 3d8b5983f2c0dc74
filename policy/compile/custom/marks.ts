// Names that the filter which marks and the one which asks agree upon, and that audit reads back. Istio's, with the provider in each: several
// may be asked about one request.

/** Begins the name of a rule of a CUSTOM policy: `istio-ext-authz-PROVIDER-ns[NAMESPACE]-policy[NAME]-rule[N]`. */
export function markedRule(provider: string, rule: string): string {
  return `${markOf(provider)}${rule}`;
}

/** What the name of every rule that asks this provider begins with. No other provider's does: a name may hold a dash, but not here. */
export function markOf(provider: string): string {
  return `istio-ext-authz-${provider}-`;
}

/** Begins the keys under which Envoy notes which rule matched, and the names of its statistics. */
export function markPrefix(provider: string): string {
  return `istio_ext_authz_${provider}_`;
}

/** The key of the rule that matched; absent when none did. */
export function markKey(provider: string): string {
  return `${markPrefix(provider)}shadow_effective_policy_id`;
}

/** Begins the keys under which the filter that marks says which rules it has. */
export function editionPrefix(provider: string): string {
  return `gatehouse_custom_${provider}_`;
}

export function editionKey(provider: string): string {
  return `${editionPrefix(provider)}enforced_effective_policy_id`;
}

/** As {@link editionPrefix}, on TCP: all providers' rules stand in one listener, and so have one edition. */
export const TCP_EDITION_PREFIX = 'gatehouse_custom_';
export const TCP_EDITION_KEY = `${TCP_EDITION_PREFIX}shadow_effective_policy_id`;

/** The name of a rule that denies because its provider cannot be asked; it may hold any text as the provider. */
export function unaskableRule(provider: string, rule: string): string {
  return `${markedRule(provider, rule)}-deny-due-to-bad-CUSTOM-action`;
}
