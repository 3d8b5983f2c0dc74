import type { AuthorizationPolicy, PolicyAction } from '../../mesh/model/authorization-policy.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import type { Destination } from '../access/world.ts';
import type { ObservedCall } from '../observed/call.ts';
import { type Judge, judge } from '../observed/judge.ts';
import { policiesFor } from '../select.ts';

/** What today's policies say of calls like one that was seen. */
export type Today =
  | { readonly kind: 'granted' }
  /** By what records do not tell of calls: headers, tokens, hosts, addresses. */
  | { readonly kind: 'conditional'; readonly on: readonly string[] }
  /** Another ALLOW rule would change nothing. */
  | { readonly kind: 'refused'; readonly by: string }
  | { readonly kind: 'not-granted' };

export type AskToday = (call: ObservedCall) => Today;

const NOT_GRANTED: Today = Object.freeze({ kind: 'not-granted' });

/** The policies that are enforced today. */
export class Base {
  readonly #allow: Snapshot;
  readonly #deny: Snapshot;

  constructor(snapshot: Snapshot, isBase: (policy: AuthorizationPolicy) => boolean) {
    const enforced = snapshot.authorizationPolicies.filter((policy) => !policy.dryRun && isBase(policy));
    // Apart, since what is denied is no matter of grants.
    const only = (wanted: PolicyAction): Snapshot => ({
      ...snapshot,
      authorizationPolicies: enforced.filter(({ action }) => action === wanted),
      requestAuthentications: wanted === 'ALLOW' ? snapshot.requestAuthentications : [],
    });
    this.#allow = only('ALLOW');
    this.#deny = only('DENY');
  }

  /** The ALLOW policies of a workload. None: everybody may call it, which is no grant. */
  grants(destination: Destination): readonly AuthorizationPolicy[] {
    return policiesFor(this.#allow, destination);
  }

  of(destination: Destination): AskToday {
    const asked = (snapshot: Snapshot): Judge | undefined =>
      policiesFor(snapshot, destination).length === 0 ? undefined : judge(snapshot, new Map([[destination.name, destination]]));
    const [allow, deny] = [asked(this.#allow), asked(this.#deny)];
    return (call) => {
      const denial = deny?.(call);
      if (denial?.kind === 'not-granted' && denial.cause === 'denied') return { kind: 'refused', by: denial.by };
      const grant = allow?.(call);
      if (grant?.kind === 'granted') return { kind: 'granted' };
      // What hangs on the path alone was seen in more forms than today's policies write out.
      if (grant?.kind === 'depends' && grant.on.some((name) => name !== 'path')) return { kind: 'conditional', on: grant.on };
      return NOT_GRANTED;
    };
  }
}
