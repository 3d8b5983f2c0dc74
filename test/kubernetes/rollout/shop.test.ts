import { netnsObstacle } from '../../../cli/up/netns/capture.ts';
import { envoyOrSkip } from '../../audit/envoy/process.ts';
import { BARE_SHOP } from '../../feature/rollout/shop.ts';
import { rollbackTakesSeconds, shopIsRolledOut, ShopUnderRollout } from '../../feature/rollout/shop-story.ts';
import { withApiServer } from '../api-server.ts';
import { SampleMesh } from '../sample-mesh.ts';

describe('the shop is rolled out in a cluster: applied by kubectl, injected, under steady traffic', function () {
  this.timeout(240_000);
  const obstacle = netnsObstacle();
  if (obstacle !== undefined) {
    it.skip(obstacle);
    return;
  }
  const api = withApiServer();
  let mesh: SampleMesh;
  let shop: ShopUnderRollout;
  before('apply the shop without policies', async function () {
    const envoy = envoyOrSkip(this);
    if (!api().hasControllers) return this.skip();
    mesh = await SampleMesh.start({ api: api(), envoy, number: 12, sources: BARE_SHOP });
    shop = await ShopUnderRollout.begin(mesh);
  });
  after(async () => {
    await shop?.traffic.stop();
    await mesh?.stop();
  });

  shopIsRolledOut(() => shop);
  rollbackTakesSeconds(() => shop);
});
