import { isRecord, type Written } from './written-object.ts';

/** A gateway of one namespace may read a Secret of another. */
export type SecretGrants = (gateways: string, namespace: string, name: string) => boolean;

const GROUP = 'gateway.networking.k8s.io';
const VERSIONS = /^gateway\.networking\.k8s\.io\/v1(?:alpha2|alpha3|beta1)?$/;

interface Grant {
  readonly namespace: string;
  readonly from: readonly { readonly kind: string; readonly namespace: string }[];
  /** Names of Secrets; undefined: all of the namespace. */
  readonly to: readonly (string | undefined)[];
}

/** Listeners with their Secrets, for gateways of another namespace: those of a ListenerSet, or of a Gateway whose addresses are Services there. */
interface Brought {
  readonly kind: 'Gateway' | 'ListenerSet';
  readonly namespace: string;
  readonly gateways: readonly string[];
  readonly secrets: readonly { readonly namespace: string; readonly name: string }[];
}

/**
 * Which Secrets of other namespaces gateways may read, from the ReferenceGrants and ListenerSets among objects
 * (https://gateway-api.sigs.k8s.io/reference/spec/#referencegrant). Whoever owns the Secret must have said so: what cannot be read, or is
 * written twice, grants nothing.
 */
export function secretGrants(objects: readonly Written[]): SecretGrants {
  const once = [
    ...Map.groupBy(objects.filter(isOfApi), ({ value, namespace, name }) => `${String(value['kind'])} ${namespace}/${name}`),
  ].flatMap(([, all]) => (all.length === 1 ? all : []));
  const grants = once.filter(({ value }) => value['kind'] === 'ReferenceGrant').flatMap((one) => grantOf(one) ?? []);
  const sets = once.filter(({ value }) => value['kind'] === 'ListenerSet').flatMap((one) => broughtBySet(one) ?? []);
  const gateways = once.filter(({ value }) => value['kind'] === 'Gateway').map(broughtByGateway);
  const brought = [...sets, ...gateways];
  const granted = (kind: string, from: string, namespace: string, name: string) =>
    grants.some(
      (grant) =>
        grant.namespace === namespace &&
        grant.from.some((one) => one.kind === kind && one.namespace === from) &&
        grant.to.some((one) => one === undefined || one === name),
    );
  return (home, namespace, name) =>
    granted('Gateway', home, namespace, name) ||
    brought.some(
      (by) =>
        by.gateways.includes(home) &&
        by.secrets.some((one) => one.namespace === namespace && one.name === name) &&
        (by.namespace === namespace || granted(by.kind, by.namespace, namespace, name)),
    );
}

const isOfApi = ({ value }: Written): boolean => typeof value['apiVersion'] === 'string' && VERSIONS.test(value['apiVersion']);

/** The texts of a mapping that has these fields and no others; undefined when it is anything else. */
function textsOf(value: unknown, required: readonly string[], optional: readonly string[]): Map<string, string> | undefined {
  if (!isRecord(value)) return undefined;
  const texts = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string' || !(required.includes(key) || optional.includes(key))) return undefined;
    texts.set(key, text);
  }
  return required.every((key) => texts.has(key)) ? texts : undefined;
}

function allTexts(value: unknown, required: readonly string[], optional: readonly string[]) {
  if (!Array.isArray(value)) return undefined;
  const found = value.flatMap((item) => textsOf(item, required, optional) ?? []);
  return found.length === value.length ? found : undefined;
}

function grantOf({ namespace, value }: Written): Grant | undefined {
  const spec = isRecord(value['spec']) ? value['spec'] : {};
  const from = allTexts(spec['from'], ['group', 'kind', 'namespace'], []);
  const to = allTexts(spec['to'], ['group', 'kind'], ['name']);
  // An empty name is none that the API admits; it must not come to mean all.
  if (from === undefined || to === undefined || to.some((one) => one.get('name') === '')) return undefined;
  return {
    namespace,
    from: from
      .filter((one) => one.get('group') === GROUP)
      .map((one) => ({ kind: one.get('kind') ?? '', namespace: one.get('namespace') ?? '' })),
    to: to.filter((one) => one.get('group') === '' && one.get('kind') === 'Secret').map((one) => one.get('name')),
  };
}

const isSecret = (ref: ReadonlyMap<string, string>): boolean =>
  (ref.get('kind') ?? 'Secret') === 'Secret' && ['', 'core'].includes(ref.get('group') ?? '');

function secretsIn(refs: unknown, namespace: string): Brought['secrets'] {
  return (allTexts(refs, ['name'], ['group', 'kind', 'namespace']) ?? [])
    .filter(isSecret)
    .map((ref) => ({ namespace: ref.get('namespace') ?? namespace, name: ref.get('name') ?? '' }));
}

function secretsOf(listeners: unknown, namespace: string): Brought['secrets'] {
  if (!Array.isArray(listeners)) return [];
  return listeners.flatMap((listener: unknown) => {
    const tls = isRecord(listener) && isRecord(listener['tls']) ? listener['tls'] : {};
    return secretsIn(tls['certificateRefs'], namespace);
  });
}

function broughtBySet({ namespace, value }: Written): Brought | undefined {
  const spec = isRecord(value['spec']) ? value['spec'] : {};
  const parent = textsOf(spec['parentRef'], ['name'], ['group', 'kind', 'namespace']);
  if (parent === undefined) return undefined;
  if ((parent.get('group') ?? GROUP) !== GROUP || (parent.get('kind') ?? 'Gateway') !== 'Gateway') return undefined;
  const gateways = [parent.get('namespace') ?? namespace];
  return { kind: 'ListenerSet', namespace, gateways, secrets: secretsOf(spec['listeners'], namespace) };
}

const SERVICE = /^[a-z0-9-]+\.([a-z0-9-]+)\.svc(?:\.|$)/;

function broughtByGateway({ namespace, value }: Written): Brought {
  const spec = isRecord(value['spec']) ? value['spec'] : {};
  const addresses = allTexts(spec['addresses'], ['type', 'value'], []) ?? [];
  const gateways = addresses.flatMap((one) =>
    one.get('type') === 'Hostname' ? (SERVICE.exec(one.get('value') ?? '')?.[1] ?? []) : [],
  );
  const tls = isRecord(spec['tls']) && isRecord(spec['tls']['backend']) ? spec['tls']['backend'] : {};
  const shown = tls['clientCertificateRef'] === undefined ? [] : secretsIn([tls['clientCertificateRef']], namespace);
  return { kind: 'Gateway', namespace, gateways, secrets: [...secretsOf(spec['listeners'], namespace), ...shown] };
}
