import type { Box } from './box.ts';
import { type Description, describe } from './describe.ts';
import type { Dimension } from './dimension.ts';

/** What must hold of one dimension: `path`, `method`, `host`, `source.ip`, `request.headers[x]` and so on. */
export interface Condition {
  readonly key: string;
  readonly description: Exclude<Description, undefined>;
}

/** A box in words; what may be anything is left out. */
export function conditionsOf(inner: readonly Dimension[], box: Box): readonly Condition[] {
  return inner.flatMap((dimension, at) => {
    const description = describe(dimension, box[at] ?? 0n);
    return description === undefined ? [] : [{ key: dimension.key, description }];
  });
}
