// How far namespaces are rolled out, in a real Chromium.
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { STAGES } from '../../mesh/model/namespace-rollout.ts';
import { violations } from './axe.ts';
import { type Browser, chromiumOrSkip, startChromium } from './chromium.ts';
import { follows } from './follows.ts';
import { sampleEdges, sampleSnapshot } from './sample-calls.ts';
import { rolloutAt, rolloutSource, type SampleRollouts, sampleRollouts } from './sample-rollouts.ts';
import { type Site, startSite } from './site.ts';

const ROLLOUT = 'section[aria-label="Rollout"]';

async function open(page: Page, namespace: string) {
  await page.getByRole('button', { name: 'Rollout', exact: true }).click();
  await page.getByRole('button', { name: `Rollout of ${namespace}`, exact: true }).click();
  const panel = page.locator('aside.panel');
  await panel.getByRole('heading', { name: /Next: |At its target|To begin/ }).waitFor();
  return panel;
}

describe('browser: rollouts', function () {
  this.timeout(120_000);
  let site: Site;
  let browser: Browser;
  let page: Page;
  let rollouts: SampleRollouts;

  before(async function () {
    chromiumOrSkip(this);
    rollouts = rolloutSource([]);
    site = await startSite({ edges: sampleEdges(Date.now(), 5), snapshot: sampleSnapshot(), rollouts });
    browser = await startChromium({ viewport: { width: 1280, height: 800 } });
    await browser.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  });
  beforeEach(async () => {
    rollouts.list = sampleRollouts(Date.now());
    page = await browser.open(site.url);
    await page.locator('g.area .stage.dry-run').first().waitFor();
  });
  afterEach(async function () {
    await page?.close();
    assert.deepEqual(browser?.complaints ?? [], [], this.currentTest?.title ?? '');
  });
  after(async () => {
    await browser?.close();
    await site?.close();
  });

  it('lists each namespace with its stage, gates and what holds it back, and those that have not begun', async () => {
    await page.getByRole('button', { name: 'Rollout', exact: true }).click();
    const row = (namespace: string) => page.locator(`${ROLLOUT} tr[data-row="${namespace}"]`);
    assert.match(
      await row('shop').innerText(),
      /dry run[\s\S]*5 of 7[\s\S]*2 callers, 31 calls would be denied[\s\S]*and 1 more/,
    );
    assert.match(await row('default').innerText(), /was rolled back automatically[\s\S]*ready for enforce/);
    assert.match(await row('payments').innerText(), /enforce[\s\S]*rollback armed for \d+ minutes[\s\S]*at its target/);
    assert.match(await row('web').innerText(), /not begun/);
    // Its policies are the whole mesh's.
    assert.equal(await row('istio-system').count(), 0);
    assert.match(
      await page.locator(ROLLOUT).innerText(),
      /4 namespaces: 0 at observe, 0 at strict, 2 at dry run, 1 at enforce, 1 not begun/,
    );
    const rows = () => page.locator(`${ROLLOUT} tbody tr`).count();
    await page.getByLabel('Which namespaces').selectOption('held');
    assert.equal(await rows(), 1);
    await page.getByLabel('Which namespaces').selectOption('all');
    await page.getByLabel('Namespaces whose name has').fill('PAY');
    assert.equal(await rows(), 1);
  });

  it('tells of one what holds it back, gate by gate, with exceptions, what is accepted, and the history with its evidence', async () => {
    const panel = await open(page, 'shop');
    const text = await panel.innerText();
    assert.match(text, /held back by 2/);
    assert.match(
      text,
      /Nobody would be denied\s*✕ not met\s*Wanted\s*no call that would be denied[\s\S]*Found\s*2 callers, 31 calls/,
    );
    assert.match(text, /shop\/website to shop\/users:8080 GET \/users\/\{id\}: 24 calls/);
    assert.match(text, /Enough calls\s*✓ met/);
    assert.ok(text.indexOf('not met') < text.indexOf('✓ met'), 'what holds it back comes first');
    assert.match(text, /mobile up to strict\s*mobile team answers for it\s*40 days left/);
    assert.match(
      text,
      /plain text from 10\.1\.7\.0\/24 to shop\/support:8080 \(412 calls\)\s*operations answers for it\s*ended 2 days ago/,
    );
    assert.equal(await panel.locator('.step').count(), 2);
    assert.equal(await panel.locator('.step .gate').first().isVisible(), false);
    await panel.getByText('Evidence: 7 gates').first().click();
    assert.equal(await panel.locator('.step .gate').first().isVisible(), true);
    assert.deepEqual(await panel.locator('ol.stages.large li').evaluateAll((all) => all.map((one) => one.textContent)), [
      'observe (done)',
      'strict (done)',
      'dry run (now)',
      'enforce (to come)',
    ]);
  });

  it('gives the next command to be copied, and no way to order it', async () => {
    const panel = await open(page, 'shop');
    await panel.getByRole('button', { name: 'Copy: the next step' }).click();
    await panel.getByText('Copied').waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'gatehouse rollout advance shop');
    assert.match(await panel.innerText(), /This page gives no orders/);
    assert.equal(await panel.locator('form, input').count(), 0);
    await panel.getByRole('button', { name: /Whom would it cut off/ }).click();
    await panel.getByText('1 caller would be cut off').waitFor();
    assert.match(
      await panel.innerText(),
      /cluster\.local\/ns\/shop\/sa\/website → shop\/users:8080[\s\S]*create AuthorizationPolicy shop\/rollout-allow-nothing/,
    );
  });

  it('says how to begin', async () => {
    const panel = await open(page, 'web');
    await panel.getByRole('button', { name: 'Copy: the NamespaceRollout' }).click();
    await panel.getByText('Copied').waitFor();
    const object = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(
      object,
      /^apiVersion: gatehouse\.dev\/v1alpha1\nkind: NamespaceRollout\nmetadata:\n  name: rollout\n  namespace: web\n/,
    );
  });

  it('follows what happens: a step, and a rollback', async () => {
    const panel = await open(page, 'shop');
    const now = Date.now();
    rollouts.list = [rolloutAt('shop', 'enforce', now, { rollbackArmedUntil: new Date(now + 600_000).toISOString() })];
    await panel.getByText('At its target').waitFor();
    assert.match(await panel.innerText(), /Rollback\s*automatic for 10 minutes more/);
    await page.getByRole('button', { name: 'Graph', exact: true }).click();
    await page.locator('[data-id="namespace:shop"] .stage.enforce').waitFor();
    rollouts.list = [];
    await follows(async () => assert.equal(await page.locator('g.area .stage:not(.none)').count(), 0));
  });

  it('is in the graph: a badge for each namespace, which opens it, by mouse and by keys', async () => {
    const header = page.locator('[data-id="namespace:shop"]');
    assert.equal(await header.getAttribute('aria-label'), 'namespace shop: 6 workloads, rollout at dry run');
    await header.locator('.stage').click();
    const title = page.locator('aside.panel h2', { hasText: 'Rollout of shop' });
    await title.waitFor();
    assert.equal(await header.getAttribute('aria-expanded'), 'true', 'it is not collapsed by that');
    await page.keyboard.press('Escape');
    await page.locator('g.node[data-id="workload:shop/users"]').focus();
    await page.keyboard.press('r');
    await title.waitFor();
    await page.locator('aside.panel .gate').first().waitFor();
  });

  it('is read and used by keys alone, and axe-core finds no fault, in light and in dark', async () => {
    await page.getByRole('button', { name: 'Rollout', exact: true }).focus();
    await page.keyboard.press('Enter');
    let reached = '';
    for (let step = 0; step < 30 && reached !== 'Rollout of shop'; step++) {
      await page.keyboard.press('Tab');
      reached = await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');
    }
    assert.equal(reached, 'Rollout of shop');
    await page.keyboard.press('Enter');
    await page.locator('aside.panel .gate').first().waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Rollout of shop');
    await page.locator('aside.panel details').evaluateAll((all) => all.forEach((one) => one.setAttribute('open', '')));
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      assert.deepEqual(await violations(page), [], colorScheme);
    }
    // The list behind it is made anew meanwhile.
    rollouts.list = [rolloutAt('shop', 'enforce', Date.now())];
    await page.locator(`${ROLLOUT} tr[data-row="shop"] [aria-label^="Stages: at enforce"]`).waitFor();
    await page.keyboard.press('Escape');
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Rollout of shop');
  });

  it('lists 300 namespaces, a hundred at a time, none of it wider than the window', async () => {
    const now = Date.now();
    rollouts.list = Array.from({ length: 300 }, (_, at) =>
      rolloutAt(`team-${String(at).padStart(3, '0')}-with-a-long-name`, STAGES[at % 4] ?? 'observe', now, {
        heldBy: at % 3 === 0 ? [`proxies: ${at} of 400 have the policies; ${'and what is said of them is long '.repeat(6)}`] : [],
      }),
    );
    await page.getByRole('button', { name: 'Rollout', exact: true }).click();
    await page.getByText('1 to 100 of 303 rows').waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('101 to 200 of 303 rows').waitFor();
    await page.getByRole('button', { name: 'Stage', exact: true }).click();
    const panel = await open(page, 'team-004-with-a-long-name');
    assert.match(await panel.innerText(), /gatehouse rollout advance team-004-with-a-long-name/);
    assert.deepEqual(
      await page.evaluate(() => [document.documentElement.scrollWidth > innerWidth, document.body.scrollWidth > innerWidth]),
      [false, false],
    );
    await page.getByLabel('Which namespaces').selectOption('held');
    await page.getByText('100 namespaces found').waitFor({ state: 'attached' });
  });

  it('does not say that one has not begun of which nothing is known yet', async () => {
    rollouts.unknown = new Set(['web']);
    try {
      const row = page.locator(`${ROLLOUT} tr[data-row="web"]`);
      await page.reload();
      await page.getByRole('button', { name: 'Rollout', exact: true }).click();
      await row.getByText('not known yet').waitFor();
      await page.getByRole('button', { name: 'Rollout of web', exact: true }).click();
      await page.getByText('nothing is known of it yet').waitFor();
    } finally {
      rollouts.unknown = new Set();
    }
  });

  it('shows what others wrote as text', async () => {
    const evil = '<img src=x onerror="document.title=1">\u202e';
    rollouts.list = [rolloutAt('shop', 'strict', Date.now(), { heldBy: [evil], command: `gatehouse ${evil}` })];
    const panel = await open(page, 'shop');
    await panel.getByText('onerror').first().waitFor();
    assert.match(await panel.innerText(), /\\u\{202e\}/);
    assert.equal(await panel.locator('img').count(), 0);
  });
});

describe('browser: a control plane without rollouts', function () {
  this.timeout(60_000);

  it('says so, and how to begin', async function () {
    chromiumOrSkip(this);
    const site = await startSite({ edges: sampleEdges(Date.now(), 2), snapshot: sampleSnapshot() });
    const browser = await startChromium();
    try {
      const page = await browser.open(site.url);
      const panel = await open(page, 'shop');
      assert.match(await panel.innerText(), /This control plane runs no rollouts/);
      assert.match(await page.locator(ROLLOUT).innerText(), /runs no rollouts\. 3 namespaces: .*3 not begun/);
      assert.deepEqual(browser.complaints, []);
    } finally {
      await browser.close();
      await site.close();
    }
  });
});
