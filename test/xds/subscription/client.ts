import type { ResourceSet, TypeUrl } from '../../../xds/resource-set.ts';
import type { DeltaRequest, Event, Report, Response, SotwRequest, Variant } from '../../../xds/subscription/event.ts';
import { step } from '../../../xds/subscription/machine.ts';
import { openState, type State } from '../../../xds/subscription/state.ts';
import { type Content, setOf } from '../resources.ts';

/** A response in short: `Cluster +a +b -c`. */
export function brief({ type, resources, removed }: Response): string {
  const short = type.slice(type.lastIndexOf('.') + 1);
  return [short, ...resources.map(({ name }) => `+${name}`), ...removed.map((name) => `-${name}`)].join(' ');
}

/** Drives the machine by hand; each call gives what the machine sent. */
export class Stream {
  state: State;
  reports: Report[] = [];
  #snapshot = 0;
  #last: readonly Response[] = [];

  constructor(variant: Variant) {
    this.state = openState(variant);
  }

  event(event: Event): string[] {
    const { state, responses, reports } = step(this.state, event);
    this.state = state;
    this.reports = [...reports];
    this.#last = responses;
    return responses.map(brief);
  }

  /** The responses behind the last step's strings. */
  get last(): readonly Response[] {
    return this.#last;
  }

  set(content: Content | ResourceSet): string[] {
    this.#snapshot += 1;
    const set = content instanceof Map ? content : setOf(content as Content);
    return this.event({ kind: 'set', set, snapshot: this.#snapshot });
  }

  release(): string[] {
    return this.event({ kind: 'release' });
  }

  delta(
    type: TypeUrl,
    request: Partial<Omit<DeltaRequest, 'kind' | 'type' | 'initialVersions'>> & {
      readonly initialVersions?: Readonly<Record<string, string>>;
    } = {},
  ): string[] {
    return this.event({
      kind: 'delta-request',
      type,
      subscribe: [],
      unsubscribe: [],
      nonce: '',
      ...request,
      initialVersions: new Map(Object.entries(request.initialVersions ?? {})),
    });
  }

  sotw(type: TypeUrl, request: Partial<Omit<SotwRequest, 'kind' | 'type'>> = {}): string[] {
    return this.event({ kind: 'sotw-request', type, names: [], version: '', nonce: '', ...request });
  }

  /** The nonce of the newest response of a type. */
  nonce(type: TypeUrl): string {
    return this.state.types.get(type)?.nonce ?? '';
  }

  /** Accepts the newest response of a type; in SotW the request repeats the names. */
  ack(type: TypeUrl): string[] {
    return this.#answer(type, {});
  }

  nack(type: TypeUrl, error: string): string[] {
    return this.#answer(type, { error });
  }

  /** Accepts all that is outstanding, and what comes of that, until there is nothing more. */
  ackAll(): string[] {
    const sent: string[] = [];
    for (;;) {
      const next = [...this.state.types].find(([, { outstanding }]) => outstanding.length > 0);
      const first = next?.[1].outstanding[0];
      if (next === undefined || first === undefined) return sent;
      sent.push(...this.#answer(next[0], { nonce: first.nonce }));
    }
  }

  get settled(): number | undefined {
    for (const report of this.reports) if (report.kind === 'settled') return report.snapshot;
    return undefined;
  }

  #answer(type: TypeUrl, extra: { readonly nonce?: string; readonly error?: string }): string[] {
    const nonce = this.nonce(type);
    if (this.state.variant === 'delta') return this.delta(type, { nonce, ...extra });
    return this.sotw(type, { nonce, version: 'any', names: [...(this.state.types.get(type)?.interest.names ?? [])], ...extra });
  }
}
