/** One condition of a label selector, as webhook configurations have it. */
export interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values?: readonly string[];
}

export interface Selection {
  readonly name: string;
  readonly namespaces: readonly Requirement[];
  readonly pods: readonly Requirement[];
}

const INJECTION = 'istio-injection';
const REVISION = 'istio.io/rev';
const INJECT = 'sidecar.istio.io/inject';
const OWN_INJECTION = 'gatehouse.dev/injection';
const OWN_REVISION = 'gatehouse.dev/rev';
const OWN_INJECT = 'gatehouse.dev/inject';

/** Labels of a namespace that say which revision its pods belong to; with none of them the pod's own labels count. */
export const NAMESPACE_LABELS: readonly string[] = Object.freeze([REVISION, OWN_REVISION]);

const is = (key: string, ...values: string[]): Requirement => ({ key, operator: 'In', values });
const isNot = (key: string, ...values: string[]): Requirement => ({ key, operator: 'NotIn', values });
const absent = (key: string): Requirement => ({ key, operator: 'DoesNotExist' });

/** A namespace that says nothing. */
const SILENT: readonly Requirement[] = [absent(INJECTION), absent(REVISION), absent(OWN_INJECTION), absent(OWN_REVISION)];
/** A pod that did not opt out, by either label. */
const WILLING: readonly Requirement[] = [isNot(INJECT, 'false'), isNot(OWN_INJECT, 'false')];

/**
 * Which pods a revision, or a tag, of this name gets. Istio's labels count as for Istio's injector; our own count where Istio's say nothing, so that a namespace whose pods
 * Istio's injector gets is not taken as well; an opt-out by either counts before everything else. No pod is sent by two of them.
 */
export function selectionsOf(name: string): readonly Selection[] {
  return [
    {
      name: 'rev.namespace',
      namespaces: [is(REVISION, name), absent(INJECTION), isNot(OWN_INJECTION, 'disabled')],
      pods: WILLING,
    },
    {
      name: 'own.rev.namespace',
      namespaces: [is(OWN_REVISION, name), absent(INJECTION), absent(REVISION), absent(OWN_INJECTION)],
      pods: WILLING,
    },
    { name: 'rev.object', namespaces: SILENT, pods: [is(REVISION, name), ...WILLING] },
    { name: 'own.rev.object', namespaces: SILENT, pods: [is(OWN_REVISION, name), absent(REVISION), ...WILLING] },
  ];
}

/** What belongs to whoever is the default besides: pods that want a proxy and name no revision. */
export const DEFAULT_SELECTIONS: readonly Selection[] = Object.freeze([
  { name: 'namespace', namespaces: [is(INJECTION, 'enabled'), isNot(OWN_INJECTION, 'disabled')], pods: WILLING },
  { name: 'own.namespace', namespaces: [is(OWN_INJECTION, 'enabled'), absent(INJECTION), absent(REVISION)], pods: WILLING },
  {
    name: 'object',
    namespaces: SILENT,
    pods: [is(INJECT, 'true'), isNot(OWN_INJECT, 'false'), absent(REVISION), absent(OWN_REVISION)],
  },
  {
    name: 'own.object',
    namespaces: SILENT,
    pods: [is(OWN_INJECT, 'true'), isNot(INJECT, 'true', 'false'), absent(REVISION), absent(OWN_REVISION)],
  },
]);

interface Judged {
  readonly name: string;
  readonly selector: readonly Requirement[];
}

/** Which configuration a revision, or a tag, of this name judges: what names it. */
export function judgedBy(name: string): readonly Judged[] {
  return [
    { name: 'rev.validator', selector: [is(REVISION, name)] },
    { name: 'own.rev.validator', selector: [is(OWN_REVISION, name), absent(REVISION)] },
  ];
}

/** And what names nobody. */
export const JUDGED_BY_DEFAULT: readonly Judged[] = Object.freeze([
  { name: 'validator', selector: [absent(REVISION), absent(OWN_REVISION)] },
]);
