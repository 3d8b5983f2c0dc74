import type { Destination } from '../model/virtual-service.ts';
import type { Hostname } from '../model/hostname.ts';
import type { Labels } from '../model/object.ts';

/** What an object says about others, noted while it is read, so that it can be checked against them with its own line. */
export type Target =
  | { readonly kind: 'destination'; readonly destination: Destination }
  | { readonly kind: 'subset'; readonly host: Hostname; readonly subset: string }
  | { readonly kind: 'virtual-host'; readonly host: Hostname }
  | { readonly kind: 'subset-labels'; readonly host: Hostname; readonly subset: string; readonly labels: Labels }
  | { readonly kind: 'gateway'; readonly name: string }
  | { readonly kind: 'delegate'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'rule-host'; readonly host: Hostname }
  | { readonly kind: 'workloads'; readonly selector: Labels; readonly everywhere: boolean };

export interface Reference {
  readonly target: Target;
  readonly path: string;
  readonly line: number;
}
