import type { MeshConfig } from '../model/mesh-config.ts';
import type { Meta } from '../model/object.ts';
import type { Field } from './field.ts';
import type { Reference, Target } from './reference.ts';

/** What a kind's reader knows besides the fields: whose object it is, and the mesh's settings. */
export interface Context {
  readonly meta: Meta;
  readonly meshConfig: MeshConfig;
  /** Filled while the object is read. */
  readonly references: Reference[];
}

/** Notes that `field` speaks of another object, to be checked once all objects are known. */
export function refer(context: Context, field: Field, target: Target): void {
  context.references.push({ target, path: field.path, line: field.line });
}
