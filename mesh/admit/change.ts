import type { Kind } from '../model/object.ts';

/** One object that another snapshot has otherwise. */
export interface Change {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly change: 'added' | 'changed' | 'removed';
}
