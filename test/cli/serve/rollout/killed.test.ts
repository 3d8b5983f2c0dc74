// The control plane dies at each point of a step, as by power loss. Whoever starts next finds all of the step or nothing of it, once.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { Place } from './place.ts';

const POINTS = Object.freeze(['before the intent', 'after the intent', 'after the objects', 'after it is done'] as const);

const DYING = fileURLToPath(new URL('./dying.ts', import.meta.url));

function killed(place: Place, point: string, order: string): Promise<NodeJS.Signals | null> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PASSED: String(place.elapsed) };
    const child = execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', DYING, place.dir, point, order],
      { env, timeout: 60_000 },
      (error, _, stderr) => {
        if (error?.signal === 'SIGKILL') resolve(error.signal);
        else reject(new Error(`it ended by itself with ${String(child.exitCode)}: ${stderr}`));
      },
    );
  });
}

/** Names of enforced AuthorizationPolicies. */
function enforced(place: Place): readonly string[] {
  const text = readFileSync(join(place.mesh, 'rollout-shop.yaml'), 'utf8');
  return parseAllDocuments(text).flatMap((document): readonly string[] => {
    const { kind, metadata } = document.toJS() as { kind: string; metadata: { name: string; annotations?: unknown } };
    return kind === 'AuthorizationPolicy' && metadata.annotations === undefined ? [metadata.name] : [];
  });
}

const OPEN: readonly string[] = [];
const CLOSED: readonly string[] = ['rollout-users', 'rollout-allow-nothing'];

describe('a control plane that is killed in the middle of a rollout’s step', function () {
  this.timeout(90_000);
  let place: Place;
  afterEach(() => place.close());

  for (const order of ['advance', 'rollback'] as const)
    for (const point of POINTS)
      it(`${order}: ${point}`, async () => {
        place = new Place(undefined, {}, {});
        await place.reach('dry-run');
        if (order === 'rollback') await place.reach('enforce');
        else await place.rollouts.order('shop', { kind: 'renew', by: 'ann', reason: 'once more' });
        const [before, after] = order === 'advance' ? (['dry-run', 'enforce'] as const) : (['enforce', 'dry-run'] as const);
        await place.tick();
        await place.rollouts.close();
        await killed(place, point, order);
        const found = enforced(place);
        const stepped = point === 'after the objects' || point === 'after it is done';
        assert.deepEqual(found, (stepped ? after : before) === 'enforce' ? CLOSED : OPEN, 'all objects of one stage');
        place.pass(2_000);
        place.open();
        place.reread();
        const status = await place.tick();
        const taken = point !== 'before the intent';
        assert.equal(status?.stage, taken ? after : before);
        assert.deepEqual(enforced(place), status.stage === 'enforce' ? CLOSED : OPEN);
        assert.deepEqual(
          status.history.map(({ number }) => number),
          taken ? [4, 3, 2, 1] : [3, 2, 1],
          'once in the history',
        );
        if (taken) assert.deepEqual([status.history[0]?.by, status.history[0]?.to], ['ann', after]);
      });
});
