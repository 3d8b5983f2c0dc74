import type { Answer } from './answer.ts';
import type { World } from './destination.ts';
import { outcomeOf } from './outcome.ts';
import type { RouteRequest } from './question.ts';
import { type Candidate, taken, walk } from './walk.ts';

/** What becomes of a request whose host was claimed: the first candidate that matches has it; without one it is not found. */
export function routed(
  world: World,
  claimed: Answer['claimed'],
  candidates: readonly Candidate[],
  request: RouteRequest,
): Answer {
  const { candidate, skipped } = walk(world.snapshot, candidates, request);
  if (candidate === undefined)
    return {
      claimed,
      taken: undefined,
      skipped,
      fault: undefined,
      outcome: { kind: 'refused', status: 404, why: 'no route matches' },
    };
  return {
    claimed,
    taken: taken(world.snapshot, candidate),
    skipped,
    fault: candidate.route.fault,
    outcome: outcomeOf(world, candidate, request, candidate.site.port),
  };
}
