import type { Origin } from '../../mesh/model/diagnostic.ts';
import type { Fault, Headers, Retries } from '../../mesh/model/virtual-service.ts';

/** An object of the mesh and where it is written. */
export interface Named {
  readonly kind: 'VirtualService' | 'Gateway' | 'Service' | 'ServiceEntry' | 'DestinationRule' | 'Sidecar';
  /** `namespace/name`. */
  readonly name: string;
  readonly origin: Origin;
}

export interface Target {
  readonly host: string;
  readonly subset: string | undefined;
  readonly port: number;
  readonly weight: number;
  /** Of all requests, 0 to 1. */
  readonly share: number;
  /** The object behind the host; undefined: there is none. */
  readonly service: Named | undefined;
  /** The rule that names the subset. */
  readonly destinationRule: Named | undefined;
  readonly endpoints: readonly string[];
  /** The host as this destination sees it. */
  readonly authority: string;
  readonly headers: Headers | undefined;
  /** What the proxy answers in its place, and why; undefined: requests arrive there. */
  readonly trouble: { readonly status: number; readonly why: string } | undefined;
}

export interface MirrorTarget {
  readonly host: string;
  readonly subset: string | undefined;
  readonly port: number;
  readonly percentage: number;
}

export type Outcome =
  | {
      readonly kind: 'route';
      readonly destinations: readonly Target[];
      /** As the server sees it. */
      readonly path: string;
      readonly rewritten: boolean;
      readonly mirrors: readonly MirrorTarget[];
      readonly timeoutMs: number | undefined;
      /** Undefined: the mesh's default. */
      readonly retries: Retries | undefined;
      readonly headers: Headers | undefined;
    }
  | { readonly kind: 'redirect'; readonly status: number; readonly location: string }
  | { readonly kind: 'direct-response'; readonly status: number; readonly body: string }
  /** Goes on to where the caller was going, untouched. */
  | { readonly kind: 'passthrough'; readonly why: string }
  /** Carried as bytes: nothing of HTTP is looked at. */
  | { readonly kind: 'connection'; readonly destinations: readonly Target[]; readonly why: string }
  /** Answered by the proxy itself; status 0: the connection is closed or not taken. */
  | { readonly kind: 'refused'; readonly status: number; readonly why: string };

/** A route that was looked at before the one taken, and what of it did not hold. */
export interface Skipped {
  readonly virtualService: Named;
  /** From 0, as in `spec.http`. */
  readonly route: number;
  readonly routeName: string | undefined;
  /** Undefined: the route has no matches of its own. */
  readonly match: number | undefined;
  readonly why: string;
}

export interface Taken {
  readonly virtualService: Named;
  readonly route: number;
  readonly routeName: string | undefined;
  readonly match: number | undefined;
  /** The VirtualService without hosts in which the route stands. */
  readonly delegate: { readonly virtualService: Named; readonly route: number } | undefined;
}

export interface Answer {
  /** What answers to the host: a Service, a Gateway, a VirtualService, and the domain under which it does. */
  readonly claimed: { readonly by: Named; readonly domain: string } | undefined;
  readonly taken: Taken | undefined;
  readonly skipped: readonly Skipped[];
  readonly fault: Fault | undefined;
  readonly outcome: Outcome;
}
