import { NO_RESOURCES } from '../resource-set.ts';
import type { EncodedResource, TypeUrl } from '../resource-set.ts';
import { sentWhole, wantedOf } from '../subscription/due.ts';
import { resourcesOf, type State, type TypeState, WHOLE_TYPE } from '../subscription/state.ts';
import { namedIn } from './status.ts';

/** Where a resource stands between the control plane and one proxy. */
export type Standing =
  | { readonly kind: 'acknowledged' }
  /** On its way: neither accepted nor refused yet. */
  | { readonly kind: 'sent' }
  /** The proxy keeps the version before, if it has one. */
  | { readonly kind: 'rejected'; readonly message: string }
  /** Not told yet: it waits for acknowledgements of what it depends on, or for the proxy to read. */
  | { readonly kind: 'waiting' };

export interface Holding {
  readonly typeUrl: TypeUrl;
  readonly resource: EncodedResource;
  readonly standing: Standing;
}

/** What one stream is told of a type, each resource with where it stands. */
export function holdings(state: State, type: TypeUrl): readonly Holding[] {
  const of = state.types.get(type);
  if (of === undefined) return [];
  const whole = sentWhole(state.variant, type);
  const underWay = new Set(of.outstanding.flatMap(({ names }) => names));
  for (const { names } of of.isolate) for (const name of names) underWay.add(name);
  const standing = whole ? ofWhole(of) : (resource: EncodedResource) => ofPart(of, resource, underWay);
  return [...wantedOf(of, resourcesOf(state, type)).values()].map((resource) => ({
    typeUrl: type,
    resource,
    standing: standing(resource),
  }));
}

function ofPart(of: TypeState, { name, version }: EncodedResource, underWay: ReadonlySet<string>): Standing {
  if (of.sent.get(name)?.version !== version) return { kind: 'waiting' };
  if (underWay.has(name)) return { kind: 'sent' };
  const refusal = of.rejected.get(name);
  return refusal === undefined ? { kind: 'acknowledged' } : { kind: 'rejected', message: refusal.detail };
}

/** In state of the world an answer is to the type as a whole; which of it was bad only Envoy's words tell. */
function ofWhole(of: TypeState): (resource: EncodedResource) => Standing {
  const told = of.full ?? NO_RESOURCES;
  const message = of.rejected.get(WHOLE_TYPE)?.detail;
  const guilty = message === undefined ? undefined : new Set(namedIn(message, told.keys()));
  return ({ name, version }) => {
    if (told.get(name)?.version !== version) return { kind: 'waiting' };
    if (of.outstanding.length > 0) return { kind: 'sent' };
    if (message === undefined || guilty === undefined) return { kind: 'acknowledged' };
    return guilty.size === 0 || guilty.has(name) ? { kind: 'rejected', message } : { kind: 'acknowledged' };
  };
}
