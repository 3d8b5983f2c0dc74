import { netnsObstacle } from '../../../cli/up/netns/capture.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { BARE_BOOKINFO, bookinfoFlows } from '../../feature/rollout/bookinfo.ts';
import { bookinfoIsRolledOut, type BookinfoUnderRollout } from '../../feature/rollout/bookinfo-story.ts';
import { SteadyTraffic } from '../../feature/rollout/steady.ts';
import { withApiServer } from '../api-server.ts';
import { SampleMesh } from '../sample-mesh.ts';

describe('bookinfo rolls itself out in a cluster: applied by kubectl, injected, under steady traffic', function () {
  this.timeout(240_000);
  const obstacle = netnsObstacle();
  if (obstacle !== undefined) {
    it.skip(obstacle);
    return;
  }
  const api = withApiServer();
  let mesh: SampleMesh;
  let bookinfo: BookinfoUnderRollout;
  before('apply bookinfo without policies', async function () {
    const envoy = envoyOrSkip(this);
    if (!api().hasControllers) return this.skip();
    mesh = await SampleMesh.start({ api: api(), envoy, number: 13, sources: BARE_BOOKINFO });
    bookinfo = { mesh, traffic: new SteadyTraffic(bookinfoFlows(mesh)) };
  });
  after(async () => {
    await bookinfo?.traffic.stop();
    await mesh?.stop();
  });

  bookinfoIsRolledOut(() => bookinfo);
});
