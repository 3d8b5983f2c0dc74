import type { Labels, Meta } from './object.ts';
import type { Port } from './port.ts';

export type MtlsMode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT';

export interface PeerAuthentication {
  readonly meta: Meta;
  /** Empty: the whole namespace (the whole mesh, in the root namespace). */
  readonly selector: Labels;
  readonly mode: MtlsMode;
  /** By the workload's own port. */
  readonly portLevel: ReadonlyMap<Port, MtlsMode>;
}
