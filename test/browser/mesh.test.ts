// The page of a whole mesh: what `gatehouse up` runs from the samples, real calls through real proxies.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { get, RunningMesh, samples } from '../feature/running-mesh.ts';
import { type Browser, chromiumOrSkip, startChromium } from './chromium.ts';

const CALLS = 12;

describe('browser: the page of a running mesh', function () {
  this.timeout(240_000);
  let mesh: RunningMesh;
  let browser: Browser;

  before(async function () {
    chromiumOrSkip(this);
    if (process.env['GATEHOUSE_ENVOY'] === undefined) this.skip();
    mesh = await RunningMesh.start([join(samples, 'shop')], 'explicit', ['--page-address', '127.0.0.1:0']);
    browser = await startChromium();
  });
  after(async () => {
    await browser?.close();
    await mesh?.stop();
  });

  it('shows the calls that were made, to the request, while they come; why the website was denied; and all proxies', async () => {
    const { page: address } = mesh.ready.controlPlane;
    assert.ok(address !== undefined, mesh.log());
    const page = await browser.open(`http://${address}/`);
    const host = (site: string): Record<string, string> => ({ host: `${site}.shop.localhost` });
    await mesh.answers('/account/7', ({ status }) => status === 200, host('support'));
    const edge = (from: string, to: string) => page.locator(`g.edge[aria-label^="shop/${from} calls shop/${to}:"]`);
    const calls = async (from: string, to: string): Promise<number> => {
      const label = (await edge(from, to).count()) === 0 ? '' : await edge(from, to).getAttribute('aria-label');
      return Number(/: ([\d,]+) calls?/.exec(label ?? '')?.[1]?.replaceAll(',', '') ?? 0);
    };
    const before = await eventually(
      'the first call on the page',
      async () => (await calls('support', 'users')) || undefined,
      60_000,
    );
    for (let call = 0; call < CALLS; call++) {
      assert.equal((await get(mesh.gateway, '/account/7', host('support'))).status, 200);
      assert.equal((await get(mesh.gateway, '/account/7', host('website'))).status, 403);
    }
    // Nobody loads the page again: it follows.
    await eventually(
      'all calls on the page',
      async () => ((await calls('support', 'users')) >= before + CALLS ? true : undefined),
      60_000,
    );
    await eventually('the denied ones', async () => ((await calls('website', 'users')) >= CALLS ? true : undefined), 60_000);
    assert.equal(await calls('support', 'users'), before + CALLS);
    assert.equal(await calls('website', 'users'), CALLS);
    assert.match((await edge('website', 'users').getAttribute('class')) ?? '', /\bdenied\b/);

    await edge('website', 'users').focus();
    await page.keyboard.press('Enter');
    const panel = page.locator('aside.panel');
    await panel.getByText('denied now').waitFor();
    const text = await panel.innerText();
    assert.match(text, /cluster\.local\/ns\/shop\/sa\/website/);
    assert.match(text, /hours left/);

    // What the running controller says of the namespace's rollout.
    await page.getByRole('button', { name: 'Rollout', exact: true }).click();
    await page.getByRole('button', { name: 'Rollout of shop', exact: true }).click();
    await panel.locator('.gate').first().waitFor();
    const rollout = await panel.innerText();
    assert.match(rollout, /Stage\s*observe, since/);
    assert.match(rollout, /Next: strict\s*held back by \d/);
    assert.match(rollout, /Observed for long enough\s*✕ not met/);
    assert.match(rollout, /gatehouse rollout advance shop/);
    await panel.getByRole('button', { name: /Whom would it cut off/ }).click();
    await panel.getByText(/would be cut off/).waitFor();
    assert.match(await panel.innerText(), /create PeerAuthentication shop\/rollout-strict/);
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Proxies' }).click();
    await page.getByText(/all have snapshot/).waitFor();
    const rows = await page.locator('section[aria-label="Proxies"] tbody tr').count();
    assert.equal(rows, mesh.ready.workloads.length);
    assert.deepEqual(browser.complaints, []);
  });
});
