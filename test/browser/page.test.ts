// The page in a real Chromium, over calls in a store of its own.
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { violations } from './axe.ts';
import { type Browser, chromiumOrSkip, startChromium } from './chromium.ts';
import { callsOf, sampleEdges, sampleSnapshot } from './sample-calls.ts';
import { follows } from './follows.ts';
import { certificatesOf, type Site, startSite } from './site.ts';

const DENIED = 'shop/website calls shop/users';

async function shown(page: Page): Promise<void> {
  await page.locator('g.node').first().waitFor();
}

function edgeNamed(page: Page, label: string) {
  return page.locator(`g.edge[aria-label^="${label}"]`);
}

/** Where nodes are on the drawing. */
function places(page: Page): Promise<Readonly<Record<string, string | null>>> {
  return page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll<SVGGElement>('g.node')].map((node) => [node.dataset['id'], node.getAttribute('transform')]),
    ),
  );
}

describe('browser: the page', function () {
  this.timeout(120_000);
  let site: Site;
  let browser: Browser;
  let page: Page;

  before(async function () {
    chromiumOrSkip(this);
    const snapshot = sampleSnapshot();
    const issued = certificatesOf(snapshot, Date.now());
    const edges = sampleEdges(Date.now()).map((edge) => {
      const serial = edge.key.mtls ? issued.get(edge.key.sourcePrincipal)?.serial : undefined;
      const { count, firstSeen, lastSeen } = edge.tally;
      return serial === undefined ? edge : { ...edge, certificates: [{ serial, count, firstSeen, lastSeen }] };
    });
    site = await startSite({ edges, snapshot });
    browser = await startChromium();
  });
  beforeEach(async () => {
    page = await browser.open(site.url);
    await shown(page);
  });
  afterEach(async function () {
    await page?.close();
    // Whatever a test looked at: no policy was violated, no script failed, nobody else was asked.
    assert.deepEqual(browser?.complaints ?? [], [], this.currentTest?.title ?? '');
  });
  after(async () => {
    await browser?.close();
    await site?.close();
  });

  it('shows the edges that the store has, with how they went by colour and by dashes', async () => {
    assert.equal(await page.locator('svg.graph g.edge').count(), 19);
    const denied = edgeNamed(page, DENIED);
    assert.match((await denied.getAttribute('class')) ?? '', /\bdenied\b.*signed-denied/);
    assert.match((await edgeNamed(page, 'shop/rewards calls shop/users').getAttribute('class')) ?? '', /\bwould\b/);
    assert.match(
      (await edgeNamed(page, 'plain calls istio-system/istio-ingressgateway').getAttribute('class')) ?? '',
      /\bplain\b/,
    );
    const dashes = await page.evaluate(() =>
      ['mtls', 'plain', 'denied', 'would'].map((look) => {
        const line = document.querySelector(`svg.graph .edge.${look} .line`);
        return line === null ? '' : getComputedStyle(line).strokeDasharray;
      }),
    );
    assert.equal(new Set(dashes).size, 4, dashes.join(' / '));
  });

  it('tells of an edge that is clicked: requests, latency, statuses, policies and why, certificates', async () => {
    // On the line itself, where it is not under anything.
    const { x, y } = await edgeNamed(page, DENIED).evaluate((edge) => {
      const line = edge.querySelector('path.line');
      if (!(line instanceof SVGPathElement)) throw new Error('no line');
      const at = line.getPointAtLength(line.getTotalLength() * 0.5).matrixTransform(line.getScreenCTM() ?? undefined);
      return { x: at.x, y: at.y };
    });
    await page.mouse.click(x, y);
    const panel = page.locator('aside.panel');
    await panel.getByText('GET /users/{id}').waitFor();
    const text = await panel.innerText();
    assert.match(text, /Denied\s*2,\d{3}/);
    assert.match(text, /mean 1\d\.\d ms/);
    assert.match(text, /4xx\s*2,\d{3}/);
    assert.match(text, /no rule of shop\/allow-nothing, shop\/users allowed it/);
    assert.match(text, /denied now/);
    assert.match(text, /nearest is shop\/users/);
    assert.match(text, /cluster\.local\/ns\/shop\/sa\/website/);
    assert.match(text, /token: system:serviceaccount:shop:website/);
    assert.match(text, /CALLED WITH\s*7\w{31}\s+\d,\d{3}\s+cluster\.local\/ns\/shop\/sa\/website\s+Issued \S+ .*ago on token/i);
    await panel.locator('summary').click();
    assert.match(await panel.innerText(), /rule 0: does not match/);
  });

  it('tells of a workload: who may call it and who did, proxies, certificate', async () => {
    await page.locator('g.node[data-id="workload:shop/users"]').click();
    const panel = page.locator('aside.panel');
    await panel.getByText('Who may call it, and who did').waitFor();
    const row = (caller: string) => panel.locator('tr', { hasText: caller });
    assert.match(await row('sa/mobile').innerText(), /may\s+did/);
    assert.match(await row('sa/website').innerText(), /may not\s+was denied/);
    assert.match(await panel.innerText(), /in sync/);
    assert.match(await panel.innerText(), /hours? left/);
  });

  it('stays still when calls and workloads come', async () => {
    const before = await places(page);
    const legacy = callsOf(
      [
        { from: 'shop/loyalty', to: 'shop/users', path: '/users/{id}', perMinute: 40 },
        { from: 'new/thing', to: 'new/other', perMinute: 3 },
      ],
      1,
      Date.now(),
    );
    await site.add(legacy);
    await page.locator('g.node[data-id="workload:new/thing"]').waitFor();
    const after = await places(page);
    for (const [id, place] of Object.entries(before)) assert.equal(after[id], place, id);
    await page.reload();
    await shown(page);
    assert.deepEqual(await places(page), after);
  });

  it('shows the part of the past that the handles choose, by mouse and by keys', async () => {
    const calls = (): Promise<string> => page.locator('.summary dd').first().innerText();
    const whole = await calls();
    const from = page.getByRole('slider', { name: 'Shown from' });
    await from.focus();
    for (let step = 0; step < 50; step++) await page.keyboard.press('ArrowRight');
    await follows(async () => assert.notEqual(await calls(), whole));
    assert.equal(await page.getByRole('button', { name: 'Live' }).getAttribute('aria-pressed'), 'false');
    // The edge of which the calls were in between is not in the last ten minutes but three.
    await page.getByRole('button', { name: 'Live' }).click();
    await follows(async () =>
      assert.equal(await page.getByRole('button', { name: 'Live' }).getAttribute('aria-pressed'), 'true'),
    );
    await follows(async () => assert.equal(await from.inputValue(), '0'));
  });

  it('holds what policies grant against what was called', async () => {
    await page.getByLabel('what policies grant').check();
    await page.locator('g.edge.granted').first().waitFor({ state: 'attached' });
    const open = page.locator('g.node.unguarded[data-id="workload:default/ratings-v1"]');
    assert.equal(await open.count(), 1);
    await page.getByRole('button', { name: 'Access' }).click();
    await page.getByText('Granted, but unused').waitFor();
    assert.match(await page.locator('section[aria-label="Access"]').innerText(), /default\/ratings-v1/);
  });

  it('finds a workload by its name, and shows it', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('shop fraud');
    await page.getByRole('option', { name: /fraud/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('aside.panel h2', { hasText: 'fraud' }).waitFor();
  });

  it('leaves out kinds of calls, quiet workloads and other namespaces', async () => {
    await page.getByLabel('mutual TLS').uncheck();
    await follows(async () => assert.equal(await edgeNamed(page, 'shop/mobile calls shop/users').count(), 0));
    assert.equal(await edgeNamed(page, DENIED).count(), 1);
    await page.getByLabel('mutual TLS').check();
    assert.equal(await page.locator('g.node[data-id="workload:web/web-v1"]').count(), 1);
    await page.getByLabel('workloads without calls').uncheck();
    await follows(async () => assert.equal(await page.locator('g.node[data-id="workload:web/web-v1"]').count(), 0));
    await page.getByText('All namespaces').click();
    await page.locator('.choices').getByLabel('shop', { exact: true }).check();
    await follows(async () => assert.equal(await page.locator('g.node[data-id="workload:default/details-v1"]').count(), 0));
    assert.match(page.url(), /namespace=shop/);
  });

  it('collapses a namespace into one, with its edges', async () => {
    await page.locator('[data-id="namespace:default"]').click();
    await page.locator('g.area.closed [data-id="namespace:default"]').waitFor();
    assert.equal(await page.locator('g.node[data-id="workload:default/details-v1"]').count(), 0);
    await edgeNamed(page, 'istio-system/istio-ingressgateway calls default').focus();
    await page.keyboard.press('Enter');
    await page.locator('aside.panel').waitFor();
  });

  it('is used by keys alone', async () => {
    await page.locator('g.node').first().waitFor();
    let reached = '';
    for (let step = 0; step < 40 && reached === ''; step++) {
      await page.keyboard.press('Tab');
      reached = await page.evaluate(() => document.activeElement?.getAttribute('data-id') ?? '');
    }
    assert.notEqual(reached, '');
    for (let step = 0; step < 8; step++) await page.keyboard.press('ArrowRight');
    const right = await page.evaluate(() => document.activeElement?.getAttribute('data-id') ?? '');
    assert.notEqual(right, reached);
    await page.keyboard.press('e');
    assert.match(await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? ''), / calls /);
    await page.keyboard.press('Enter');
    const panel = page.locator('aside.panel');
    await panel.getByText('Calls and what decided').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H2');
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'hidden' });
    assert.match(await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? ''), / calls /);
  });

  it('has no fault that axe-core finds, in light and in dark, in all views', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const view of ['Graph', 'Calls', 'Access', 'Certificates', 'Proxies']) {
        await page.getByRole('button', { name: view, exact: true }).click();
        assert.deepEqual(await violations(page), [], `${view}, ${colorScheme}`);
      }
    }
    await page.getByRole('button', { name: 'Graph', exact: true }).click();
    await edgeNamed(page, DENIED).focus();
    await page.keyboard.press('Enter');
    await page.locator('aside.panel').getByText('Calls and what decided').waitFor();
    assert.deepEqual(await violations(page), [], 'details');
  });

  it('is light or dark as the system is, unless it is told otherwise', async () => {
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await ground();
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await ground();
    assert.notEqual(light, dark);
    await page.getByLabel('Colours').selectOption('light');
    assert.equal(await ground(), light);
    await page.reload();
    await shown(page);
    assert.equal(await ground(), light);
    await page.getByLabel('Colours').selectOption('system');
    assert.equal(await ground(), dark);
  });

  it('shows certificates by expiry, proxies and their state, calls as a table', async () => {
    await page.getByRole('button', { name: 'Certificates' }).click();
    await page.locator('section[aria-label="Certificates"] tbody tr').first().waitFor();
    const left = await page.locator('section[aria-label="Certificates"] .lifetime').allInnerTexts();
    assert.ok(left.length >= 8 && left.every((text) => text.trim().endsWith('left')), left.join());
    await page.getByRole('button', { name: 'Proxies' }).click();
    await page.getByText(/all have snapshot 1/).waitFor();
    await page.getByRole('button', { name: 'Calls', exact: true }).click();
    const row = page.locator('section[aria-label="Calls"] tr[data-row="workload:shop/website workload:shop/users"]');
    await row.getByRole('button', { name: /Details/ }).click();
    await page.locator('aside.panel').getByText('GET /users/{id}').waitFor();
  });

  it('shows what callers made up as text, and runs none of it', async () => {
    const evil = `/<img src=x onerror="document.title='owned'">{{7*7}}<script>document.title='owned'</script>\u202e`;
    await site.add(
      callsOf([{ from: 'shop/support', to: 'shop/fraud', path: evil, method: '<b>GET</b>', perMinute: 2 }], 1, Date.now()),
    );
    const edge = edgeNamed(page, 'shop/support calls shop/fraud');
    await edge.waitFor();
    await edge.focus();
    await page.keyboard.press('Enter');
    const panel = page.locator('aside.panel');
    await panel.getByText('onerror').first().waitFor();
    assert.match(await panel.innerText(), /<b>GET<\/b> .*\\u\{202e\}/);
    assert.equal(await panel.locator('img, script, b').count(), 0);
    assert.doesNotMatch(await page.title(), /owned/);
  });
});
