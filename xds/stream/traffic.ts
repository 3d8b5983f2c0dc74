import type { TypeUrl } from '../resource-set.ts';
import type { Response, Variant } from '../subscription/event.ts';

/** Told as it happens, for metrics. Must not throw. */
export interface DiscoveryObserver {
  sent(type: TypeUrl, variant: Variant, resources: number, bytes: number): void;
  answered(type: TypeUrl, variant: Variant, accepted: boolean): void;
  /** A proxy has answered all that it was sent because of a change, this long after the first such change was published. */
  converged(ms: number): void;
}

export const NO_OBSERVER: DiscoveryObserver = Object.freeze({
  sent: () => undefined,
  answered: () => undefined,
  converged: () => undefined,
});

export interface SentCounts {
  readonly responses: number;
  readonly resources: number;
  /** Of the messages, without gRPC framing and TLS. */
  readonly bytes: number;
}

/** What went over one stream of one type. */
export interface TypeTraffic extends SentCounts {
  readonly accepted: number;
  readonly rejected: number;
  readonly lastSent: Date | undefined;
  readonly lastAnswered: Date | undefined;
}

const NO_TRAFFIC: TypeTraffic = Object.freeze({
  responses: 0,
  resources: 0,
  bytes: 0,
  accepted: 0,
  rejected: 0,
  lastSent: undefined,
  lastAnswered: undefined,
});

/** Counts what goes over one stream, and tells the observer. */
export class Traffic {
  readonly #variant: Variant;
  readonly #clock: () => Date;
  readonly #observer: DiscoveryObserver;
  readonly #types = new Map<TypeUrl, { -readonly [Count in keyof TypeTraffic]: TypeTraffic[Count] }>();

  constructor(variant: Variant, clock: () => Date, observer: DiscoveryObserver) {
    this.#variant = variant;
    this.#clock = clock;
    this.#observer = observer;
  }

  of(type: TypeUrl): TypeTraffic {
    const counts = this.#types.get(type);
    return counts === undefined ? NO_TRAFFIC : { ...counts };
  }

  #counts(type: TypeUrl) {
    const known = this.#types.get(type) ?? { ...NO_TRAFFIC };
    this.#types.set(type, known);
    return known;
  }

  get total(): SentCounts {
    const total = { responses: 0, resources: 0, bytes: 0 };
    for (const { responses, resources, bytes } of this.#types.values()) {
      total.responses += responses;
      total.resources += resources;
      total.bytes += bytes;
    }
    return total;
  }

  sent({ type, resources }: Response, bytes: number): void {
    const counts = this.#counts(type);
    counts.responses += 1;
    counts.resources += resources.length;
    counts.bytes += bytes;
    counts.lastSent = this.#clock();
    this.#observer.sent(type, this.#variant, resources.length, bytes);
  }

  answered(type: TypeUrl, accepted: boolean): void {
    const counts = this.#counts(type);
    if (accepted) counts.accepted += 1;
    else counts.rejected += 1;
    counts.lastAnswered = this.#clock();
    this.#observer.answered(type, this.#variant, accepted);
  }
}
