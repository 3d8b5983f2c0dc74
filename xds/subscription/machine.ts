import { LISTENER } from '../resource-set.ts';
import { takeDeltaRequest } from './delta.ts';
import type { Event, Report } from './event.ts';
import { plan } from './plan.ts';
import { takeSotwRequest } from './sotw.ts';
import type { State, Step } from './state.ts';

/**
 * One step of a stream's subscription: pure, for both variants.
 * `state.held` in the result says that something waits for acknowledgements; whoever runs the stream sends a `release`
 * event when they do not come.
 */
export function step(state: State, event: Event): Step {
  switch (event.kind) {
    case 'set':
      if (state.snapshot !== undefined && event.snapshot < state.snapshot) return { state, responses: [], reports: [] };
      return finish(plan({ ...state, set: event.set, snapshot: event.snapshot, settled: '' }, undefined, false), []);
    case 'release':
      return finish(plan(state, undefined, true), []);
    case 'sotw-request':
    case 'delta-request': {
      const taken = event.kind === 'sotw-request' ? takeSotwRequest(state, event) : takeDeltaRequest(state, event);
      return finish(plan(taken.state, taken.urgent, false), taken.reports);
    }
    default:
      return event satisfies never;
  }
}

/**
 * Reports, once, that the client has answered all of a snapshot. Not before it has asked for listeners, which Envoy does
 * last: until then it serves nothing, whatever else it has accepted.
 */
function finish(planned: Pick<Step, 'state' | 'responses'>, reports: readonly Report[]): Step {
  const { state, responses } = planned;
  const types = [...state.types.values()];
  const waiting = state.held || state.snapshot === undefined || types.some(({ outstanding }) => outstanding.length > 0);
  if (waiting || !state.types.has(LISTENER)) return { state, responses, reports };
  const accepted = types.every(({ rejected }) => rejected.size === 0);
  const settled = `${state.snapshot} ${accepted}`;
  if (settled === state.settled) return { state, responses, reports };
  return {
    state: { ...state, settled },
    responses,
    reports: [...reports, { kind: 'settled', snapshot: state.snapshot, accepted }],
  };
}
