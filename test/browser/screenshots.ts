// Makes the pictures of docs/audit/page.md: node test/browser/screenshots.ts
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { root } from '../feature/running-mesh.ts';
import { startChromium } from './chromium.ts';
import { largeMesh } from './large-mesh.ts';
import { sampleEdges, sampleSnapshot } from './sample-calls.ts';
import { rolloutSource, sampleRollouts } from './sample-rollouts.ts';
import { startSite } from './site.ts';

const folder = join(root, 'docs', 'images');
mkdirSync(folder, { recursive: true });

async function keep(page: Page, name: string): Promise<void> {
  // The pointer and what it points at are no part of the picture.
  await page.mouse.move(2, 2);
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  await page.screenshot({ path: join(folder, name), animations: 'disabled' });
}

const browser = await startChromium({ viewport: { width: 1280, height: 800 }, colorScheme: 'light', reducedMotion: 'reduce' });
const rollouts = rolloutSource(sampleRollouts(Date.now()));
const site = await startSite({ edges: sampleEdges(Date.now()), snapshot: sampleSnapshot(), rollouts });
const page = await browser.open(site.url);
await page.locator('g.node').first().waitFor();
await page.locator('g.area .stage.dry-run').first().waitFor();
await keep(page, 'page-graph.png');
await page.getByLabel('what policies grant').check();
await page.locator('g.edge.granted').first().waitFor({ state: 'attached' });
await keep(page, 'page-overlay.png');
await page.getByLabel('what policies grant').uncheck();
await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
await page.locator('g.edge[aria-label^="shop/website calls shop/users"]').focus();
await page.keyboard.press('Enter');
await page.locator('aside.panel').getByText('Calls and what decided').waitFor();
await keep(page, 'page-edge-dark.png');
await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
await page.keyboard.press('Escape');
await page.getByRole('button', { name: 'Certificates' }).click();
await page.locator('section[aria-label="Certificates"] tbody tr').first().waitFor();
await keep(page, 'page-certificates.png');
await page.getByRole('button', { name: 'Rollout', exact: true }).click();
await page.getByRole('button', { name: 'Rollout of shop', exact: true }).click();
await page.locator('aside.panel .gate').first().waitFor();
await keep(page, 'page-rollout.png');
await page.close();
await site.close();

const large = await startSite(largeMesh(2_000, Date.now(), 5));
const far = await browser.open(large.url);
await far.locator('svg.graph [data-id]').first().waitFor();
await keep(far, 'page-namespaces.png');
await far.close();
await large.close();
if (browser.complaints.length > 0) throw new Error(browser.complaints.join('\n'));
await browser.close();
