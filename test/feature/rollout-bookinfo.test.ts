// Bookinfo of a folder rolls itself out.
import { BARE_BOOKINFO, bookinfoFlows } from './rollout/bookinfo.ts';
import { bookinfoIsRolledOut, type BookinfoUnderRollout } from './rollout/bookinfo-story.ts';
import { FolderMesh } from './rollout/folder-mesh.ts';
import { SteadyTraffic } from './rollout/steady.ts';
import { RunningMesh } from './running-mesh.ts';

describe('bookinfo rolls itself out under steady traffic', function () {
  this.timeout(180_000);
  let running: RunningMesh;
  let bookinfo: BookinfoUnderRollout;
  before('start bookinfo without policies', async () => {
    running = await RunningMesh.start(BARE_BOOKINFO, 'explicit');
    const mesh = new FolderMesh(running);
    bookinfo = { mesh, traffic: new SteadyTraffic(bookinfoFlows(mesh)) };
  });
  after(async () => {
    await bookinfo?.traffic.stop();
    await running?.stop();
  });

  bookinfoIsRolledOut(() => bookinfo);
});
