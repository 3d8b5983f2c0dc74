import type { SpiffeId } from '../../ca/identity/spiffe-id.ts';
import { trustDomainOf } from '../../ca/identity/spiffe-id.ts';
import type { TrustDomain } from '../../ca/identity/trust-domain.ts';
import type { Svid } from '../identity/accept.ts';
import type { TrustBundle } from '../identity/bundle.ts';

/** What a workload's clients may be told of its identity. */
export type IdentityState =
  /** No valid certificate yet, or none any more; one is expected. */
  | { readonly kind: 'pending' }
  /** The authority said who asks may not have one. */
  | { readonly kind: 'denied'; readonly reason: string }
  | { readonly kind: 'present'; readonly svid: Svid };

/** What is trusted beside the own roots, at this moment. */
export interface OthersTrust {
  /** The trust bundles of other trust domains. */
  readonly federated: () => ReadonlyMap<TrustDomain, TrustBundle>;
  /** The revocation lists of the own trust domain, DER. */
  readonly crls: () => readonly Buffer[];
}

/** The authority's refusals, as the keeper names them; anything else is a fault that may pass. */
const DENIALS: readonly string[] = Object.freeze(['PERMISSION_DENIED', 'UNAUTHENTICATED']);

/** The identity of one workload as all its APIs see it. Written by the workload, read by streams, which hear of changes. */
export class WorkloadIdentity {
  readonly id: SpiffeId;
  readonly trustDomain: TrustDomain;
  readonly #others: OthersTrust;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #svid: Svid | undefined;
  #denied: string | undefined;
  #bundle: TrustBundle | undefined;

  constructor(id: SpiffeId, others: OthersTrust, now: () => number) {
    this.id = id;
    this.trustDomain = trustDomainOf(id);
    this.#others = others;
    this.#now = now;
  }

  state(): IdentityState {
    if (this.#svid !== undefined && this.#svid.notAfter > this.#now()) return { kind: 'present', svid: this.#svid };
    return this.#denied === undefined ? { kind: 'pending' } : { kind: 'denied', reason: this.#denied };
  }

  /** The last certificate, valid or not: what SDS goes on serving. */
  svid(): Svid | undefined {
    return this.#svid;
  }

  /** The roots of the own trust domain. */
  bundle(): TrustBundle | undefined {
    return this.#bundle;
  }

  federated(): ReadonlyMap<TrustDomain, TrustBundle> {
    return this.#others.federated();
  }

  crls(): readonly Buffer[] {
    return this.#others.crls();
  }

  issued(svid: Svid): void {
    this.#svid = svid;
    this.#denied = undefined;
    this.changed();
  }

  /** An attempt failed. A refusal counts only without a valid certificate: that one was granted, and holds till its end. */
  failed(code: string, reason: string): void {
    if (DENIALS.includes(code)) this.#denied = reason;
    if (this.state().kind === 'denied') this.changed();
  }

  putBundle(bundle: TrustBundle): void {
    this.#bundle = bundle;
    this.changed();
  }

  /** Tells the listeners; also to be called when what is trusted beside the own roots changed. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
