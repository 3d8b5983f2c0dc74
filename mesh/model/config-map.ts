import type { Meta } from './object.ts';

/** Of a ConfigMap only what others refer to: certificates of authorities, in PEM. */
export interface ConfigMap {
  readonly meta: Meta;
  /** Undefined: none, or what is there is no certificate. */
  readonly authorities: string | undefined;
}
