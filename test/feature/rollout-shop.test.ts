// The shop of a folder, rolled out; and the death of its control plane in the middle of a step.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { FolderMesh } from './rollout/folder-mesh.ts';
import { BARE_SHOP } from './rollout/shop.ts';
import { rollbackTakesSeconds, shopIsRolledOut, ShopUnderRollout } from './rollout/shop-story.ts';
import { RunningMesh } from './running-mesh.ts';

/** How often the state of a rollout was kept. */
function revisionOf(file: string): number {
  const { revision }: { revision: number } = JSON.parse(readFileSync(file, 'utf8'));
  return revision;
}

describe('the shop is rolled out under steady traffic', function () {
  this.timeout(180_000);
  let mesh: RunningMesh;
  let shop: ShopUnderRollout;
  before('start the shop without policies', async () => {
    mesh = await RunningMesh.start(BARE_SHOP, 'explicit');
    shop = await ShopUnderRollout.begin(new FolderMesh(mesh));
  });
  after(async () => {
    await shop?.traffic.stop();
    await mesh?.stop();
  });

  shopIsRolledOut(() => shop);

  it('kill -9 in the middle of a step: it is done or undone whole, and traffic does not notice', async () => {
    const { rollout } = shop;
    const kept = join(mesh.ready.runDir, 'ca', 'rollouts', 'shop.json');
    const written = join(mesh.dir, 'rollout-shop.yaml');
    const seen: string[] = [];
    for (const order of ['rollback', 'advance']) {
      const before = await eventually('control plane status', () => mesh.status());
      const revision = revisionOf(kept);
      let answered = false;
      const ordered = rollout
        .run(order, '--reason', 'to be killed', ...(order === 'advance' ? ['--force'] : []))
        .then((outcome) => {
          answered = true;
          return outcome;
        });
      await eventually('the step to begin', () => (answered || revisionOf(kept) > revision ? true : undefined));
      process.kill(before.pid, 'SIGKILL');
      const { code } = await ordered;
      await eventually(
        'the next control plane with all proxies',
        async () => {
          const now = await mesh.status();
          return now !== undefined && now.pid !== before.pid && now.proxies.length >= before.proxies.length ? true : undefined;
        },
        40_000,
      );
      const { stage } = await eventually('its status', () => rollout.status().catch(() => undefined), 30_000);
      const dry = await eventually('its objects to be those of its stage', () => {
        const marks = readFileSync(written, 'utf8').split('istio.io/dry-run').length - 1;
        return (stage === 'enforce' && marks === 0) || (stage === 'dry-run' && marks > 1) ? marks : undefined;
      });
      seen.push(`${order} (${answered && code === 0 ? 'answered' : 'cut off'}): ${stage}, ${dry} dry runs`);
      // As it was, so that the next one has something to do.
      if (order === 'rollback' && stage === 'enforce') await rollout.run('rollback', '--reason', 'again');
      if (order === 'advance' && stage === 'dry-run') await rollout.run('advance', '--force', '--reason', 'again');
    }
    console.log(`      ${seen.join('; ')}`);
    assert.equal((await rollout.status()).stage, 'enforce');
    await shop.unharmed();
  });

  rollbackTakesSeconds(() => shop);
});
