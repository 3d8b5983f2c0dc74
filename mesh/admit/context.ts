import type { MeshConfig } from '../model/mesh-config.ts';
import type { Meta } from '../model/object.ts';

/** What a kind's reader knows besides the fields: whose object it is, and the mesh's settings. */
export interface Context {
  readonly meta: Meta;
  readonly meshConfig: MeshConfig;
}
