import { type CallerKind, callerKind } from './candidates.ts';
import { has } from './box.ts';
import type { Class, Dimension } from './dimension.ts';
import type { MeshConfig } from '../../mesh/model/mesh-config.ts';

/** Who a row is about. */
export type Caller =
  | { readonly kind: 'identity'; readonly principal: string }
  /** All that are named nowhere: those that match these values of policies (`principals foo/*`), or all the rest. */
  | {
      readonly kind: 'others';
      readonly of: 'own' | 'foreign';
      readonly matching: readonly string[];
      readonly known: readonly string[];
    }
  /** Every identity of the mesh's own trust domain, or of the others. */
  | { readonly kind: 'all'; readonly of: 'own' | 'foreign' }
  | { readonly kind: 'plain-text' };

const NAMES_ONE: ReadonlySet<string> = new Set(['principals', 'source.principal', 'serviceAccounts', 'source.serviceAccount']);

/** A value that names one account, whatever aliases its trust domain has. Service accounts are of any trust domain. */
function namesOne(field: string, text: string, kind: 'own' | 'foreign'): boolean {
  if (!NAMES_ONE.has(field) || text.startsWith('*') || text.endsWith('*')) return false;
  return field.endsWith('rincipal') || field === 'principals' ? true : kind === 'own';
}

function kindOf({ value }: Class, meshConfigs: readonly MeshConfig[]): CallerKind {
  return callerKind(value, meshConfigs);
}

function oneClass(
  dimension: Dimension,
  at: number,
  one: Class,
  kind: 'own' | 'foreign',
  known: ReadonlySet<string>,
): readonly Caller[] {
  const matching = dimension.atoms.filter((atom) => has(dimension.truths(atom).yes, at));
  // What another condition says already is not said again.
  const telling = matching.filter((atom, index) => {
    const bits = dimension.truths(atom).yes;
    return !matching.some((other, then) => {
      const narrower = dimension.truths(other).yes;
      return other !== atom && (narrower & ~bits) === 0n && (narrower !== bits || then < index);
    });
  });
  const [first] = one.value ?? [];
  if (first !== undefined && matching.some(({ field, text }) => namesOne(field, text, kind))) {
    const own = one.values.flatMap((value) => value ?? []).filter((id) => known.has(id));
    return (own.length === 0 ? [first] : [...new Set(own)]).map((principal) => ({ kind: 'identity', principal }));
  }
  return [
    {
      kind: 'others',
      of: kind,
      matching: telling.map(({ field, text }) => `${field} ${text}`),
      known: [...new Set(one.values.flatMap((value) => value ?? []).filter((id) => known.has(id)))],
    },
  ];
}

/** A set of classes of callers in words. */
export function callersIn(
  dimension: Dimension,
  bits: bigint,
  meshConfigs: readonly MeshConfig[],
  known: ReadonlySet<string>,
): readonly Caller[] {
  const found: Caller[] = [];
  const classes = dimension.classes.map((one, at) => ({ one, at, kind: kindOf(one, meshConfigs) }));
  for (const kind of ['own', 'foreign'] as const) {
    const mine = classes.filter((entry) => entry.kind === kind);
    const inside = mine.filter(({ at }) => has(bits, at));
    if (inside.length > 0 && inside.length === mine.length) found.push({ kind: 'all', of: kind });
    else found.push(...inside.flatMap(({ one, at }) => oneClass(dimension, at, one, kind, known)));
  }
  if (classes.some(({ at, kind }) => kind === 'plain-text' && has(bits, at))) found.push({ kind: 'plain-text' });
  return found;
}

function callerText(caller: Caller, trustDomain: string): string {
  switch (caller.kind) {
    case 'identity':
      return caller.principal;
    case 'all':
      return caller.of === 'own' ? `any identity of ${trustDomain}` : 'any identity of another trust domain';
    case 'others': {
      const where = caller.of === 'own' ? `of ${trustDomain}` : 'of another trust domain';
      const which = caller.matching.length === 0 ? '' : ` that matches ${caller.matching.join(' and ')}`;
      return `any other identity ${where}${which}`;
    }
    case 'plain-text':
      return 'plain text (no identity)';
    default:
      return caller satisfies never;
  }
}

/** Several of them, a line each; all there can be are "anyone". */
export function callerTexts(callers: readonly Caller[], trustDomain: string): readonly string[] {
  const all = callers.filter(({ kind }) => kind === 'all').length === 2;
  if (all && callers.some(({ kind }) => kind === 'plain-text')) return ['anyone'];
  return callers.map((caller) => callerText(caller, trustDomain));
}
