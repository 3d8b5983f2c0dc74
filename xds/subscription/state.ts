import { EMPTY_SET, NO_RESOURCES } from '../resource-set.ts';
import type { Resources, ResourceSet, TypeUrl } from '../resource-set.ts';
import type { Report, Response, Variant } from './event.ts';
import { NO_INTEREST } from './interest.ts';
import type { Interest } from './interest.ts';
import { NO_NAMES } from './owed.ts';
import { Sent } from './sent.ts';

/** A response that was neither accepted nor refused yet. */
export interface Outstanding {
  readonly nonce: string;
  readonly names: readonly string[];
  /** Virtual hosts that it took away; of other types nothing depends on that. */
  readonly removed: readonly string[];
}

/** Of a rejected response what is sent again by itself. */
export type Part = Omit<Outstanding, 'nonce'>;

export interface Rejection {
  /** Empty where it is to go, and has not. */
  readonly version: string;
  readonly detail: string;
}

/** Key in `rejected` for a SotW response of a whole type, whose guilty part is unknown. */
export const WHOLE_TYPE = '*';

/** What one stream knows of one resource type. */
export interface TypeState {
  readonly interest: Interest;
  readonly sent: Sent;
  /** To be sent though not changed: asked for again, or needed by a cluster that warms. */
  readonly owed: ReadonlySet<string>;
  /** A response is due even when it is empty, so that the client does not wait. */
  readonly answer: boolean;
  /** SotW, types sent whole: the map last sent. */
  readonly full: Resources | undefined;
  readonly outstanding: readonly Outstanding[];
  /** The nonce last sent, empty before the first response. */
  readonly nonce: string;
  readonly rejected: ReadonlyMap<string, Rejection>;
  /** Parts of a rejected response, to be sent one response each. */
  readonly isolate: readonly Part[];
}

/** What one stream knows. Immutable: each step gives a new one. */
export interface State {
  readonly variant: Variant;
  readonly set: ResourceSet;
  /** Number of `set`; undefined before the first one, and then nothing is answered. */
  readonly snapshot: number | undefined;
  readonly types: ReadonlyMap<TypeUrl, TypeState>;
  /** Clusters sent before endpoints were first asked for: their endpoints are due even if the client still has them. */
  readonly warming: ReadonlySet<string>;
  readonly responses: number;
  /** Something is ready but waits for acknowledgements of what it depends on. */
  readonly held: boolean;
  readonly settled: string;
}

export interface Step {
  readonly state: State;
  readonly responses: readonly Response[];
  readonly reports: readonly Report[];
}

export function openState(variant: Variant): State {
  return Object.freeze({
    variant,
    set: EMPTY_SET,
    snapshot: undefined,
    types: new Map(),
    warming: NO_NAMES,
    responses: 0,
    held: false,
    settled: '',
  });
}

export const NEW_TYPE: TypeState = Object.freeze({
  interest: NO_INTEREST,
  sent: Sent.NOTHING,
  owed: NO_NAMES,
  answer: false,
  full: undefined,
  outstanding: [],
  nonce: '',
  rejected: new Map(),
  isolate: [],
});

export function withType(state: State, type: TypeUrl, of: TypeState): State {
  return { ...state, types: new Map(state.types).set(type, of) };
}

export function resourcesOf(state: State, type: TypeUrl): Resources {
  return state.set.get(type) ?? NO_RESOURCES;
}
