// What the bench and its client processes say to each other.
import type { PlannedProxy } from '../mesh/plan.ts';
import type { Variant } from './messages.ts';

export interface Connect {
  readonly kind: 'connect';
  readonly address: string;
  readonly variant: Variant;
  readonly proxies: readonly PlannedProxy[];
  readonly bundle: boolean;
  readonly remember: boolean;
  /** Certificates by proxy, for mutual TLS; without them plain text. */
  readonly tls?: { readonly roots: string; readonly certificates: readonly { readonly cert: string; readonly key: string }[] };
}

export type Order =
  | Connect
  /** Count from zero, and tell when each proxy has seen this. */
  | { readonly kind: 'expect'; readonly types: readonly string[]; readonly marker: string }
  | { readonly kind: 'count' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'resume'; readonly withVersions: boolean }
  /** So many of the proxies read no more. */
  | { readonly kind: 'stick'; readonly count: number }
  | { readonly kind: 'unstick' };

export interface Tally {
  readonly kind: 'tally';
  readonly bytes: number;
  readonly responses: number;
  readonly resources: number;
  readonly configured: number;
  readonly open: number;
  /** Proxies that have not yet seen what is expected. */
  readonly waiting: number;
  /** Milliseconds on the machine's clock. */
  readonly configuredAt: number;
  readonly seenAt: number;
  readonly lastByteAt: number;
  /** Of this client itself. */
  readonly cpuSeconds: number;
  readonly ended: Readonly<Record<string, number>>;
}
