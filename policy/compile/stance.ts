import { type Tree, always, never } from './test.ts';

/**
 * What a match of the rule leads to. Where a value cannot be decided here, the stance says which answer denies:
 * `grant` (ALLOW) must then not match, `refuse` (DENY, CUSTOM) must.
 */
export type Stance = 'grant' | 'refuse';

/** The stance of a condition's `not` values: a match of them works against the rule. */
export function opposite(stance: Stance): Stance {
  return stance === 'grant' ? 'refuse' : 'grant';
}

/** The answer that denies. */
export function doubt<Leaf>(stance: Stance): Tree<Leaf> {
  return stance === 'refuse' ? always() : never();
}
