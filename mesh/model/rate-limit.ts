import type { Labels, Meta } from './object.ts';
import type { HeaderMatch, StringMatch } from './virtual-service.ts';

/** Which requests a limit is about; all that is given must hold. */
export interface LimitMatch {
  /** The path, without the query. */
  readonly uri: StringMatch | undefined;
  readonly method: StringMatch | undefined;
  readonly authority: StringMatch | undefined;
  readonly headers: Readonly<Record<string, HeaderMatch>>;
}

/** What has a bucket of its own. */
export type LimitBy =
  | { readonly kind: 'all' }
  | { readonly kind: 'clientAddress' }
  /** In lower case. Requests without the header share a bucket. */
  | { readonly kind: 'header'; readonly name: string };

/** A token bucket, or one for each of something: `burst` requests at once, and `requests` more for each `perMs`, evenly. */
export interface Limit {
  readonly name: string;
  readonly requests: number;
  readonly perMs: number;
  readonly burst: number;
  readonly match: LimitMatch | undefined;
  /** Addresses and CIDR blocks; empty: of any client. */
  readonly clientAddresses: readonly string[];
  readonly by: LimitBy;
}

/** Our own kind: how many requests each proxy in front of the selected workloads lets in. */
export interface RateLimit {
  readonly meta: Meta;
  /** Empty: the whole namespace (the whole mesh, in the root namespace). */
  readonly selector: Labels;
  /** Each of them counts. */
  readonly limits: readonly Limit[];
}
