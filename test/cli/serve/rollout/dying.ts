// A control plane that takes one step of a rollout and dies by SIGKILL at a given point of it. Run by killed.test.ts: FOLDER POINT ORDER.
import type { RolloutState } from '../../../../policy/rollout/ports.ts';
import { Place } from './place.ts';

const [, , dir = '', point = '', order = ''] = process.argv;

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function isDone(state: RolloutState): boolean {
  return state.intent === undefined;
}

const place = new Place(dir, {
  states: (real) => ({
    load: (namespace) => real.load(namespace),
    async save(state) {
      if (point === 'before the intent' && !isDone(state)) die();
      await real.save(state);
      if (point === 'after the intent' && !isDone(state)) die();
      if (point === 'after it is done' && isDone(state) && state.history.length > 3) die();
    },
  }),
  objects: (real) => ({
    ...real,
    async write(...all) {
      await real.write(...all);
      if (point === 'after the objects') die();
    },
  }),
});
place.pass(Number(process.env['PASSED'] ?? '0'));
await place.rollouts.order(
  'shop',
  order === 'rollback'
    ? { kind: 'rollback', by: 'ann', reason: 'a drill' }
    : { kind: 'advance', by: 'ann', reason: 'on', force: true },
);
process.exit(3);
