import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';

/** Debian's; see setup/system-packages.sh. */
const EXECUTABLE = '/usr/bin/chromium';

/** Nothing that talks to anybody but the page's own server. */
const FLAGS = Object.freeze([
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]);

/** Without Chromium a test is skipped, except where the repository's own set-up brings it (CI). */
export function chromiumOrSkip(test: Mocha.Context): void {
  if (existsSync(EXECUTABLE)) return;
  if (process.env['CI'] !== undefined) throw new Error('Chromium is missing; see setup/system-packages.sh');
  test.skip();
}

export interface Browser {
  readonly context: BrowserContext;
  /** Violations of the content security policy, errors of scripts, and requests to other hosts, in all pages so far. */
  readonly complaints: readonly string[];
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

export interface BrowserOptions {
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: 'light' | 'dark';
  readonly reducedMotion?: 'reduce' | 'no-preference';
  readonly ignoreHTTPSErrors?: boolean;
}

/** A browser with a profile of its own, which is removed with it. */
export async function startChromium(options: BrowserOptions = {}): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'gatehouse-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    headless: true,
    args: [...FLAGS],
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    timezoneId: 'UTC',
    ...options,
  });
  context.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  context.on('page', (page) => listen(page, complaints));
  for (const page of context.pages()) listen(page, complaints);
  return {
    context,
    complaints,
    async open(url) {
      const page = await context.newPage();
      await page.goto(url);
      return page;
    },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

function listen(page: Page, complaints: string[]): void {
  page.on('pageerror', (error) => complaints.push(`${error.name}: ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    // What a test provokes on purpose is answered with a status.
    if (message.type() === 'error' && !/status of 4\d\d|ERR_ABORTED/.test(text)) complaints.push(text);
  });
  page.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (/^(?:https?|wss?):$/.test(protocol) && hostname !== '127.0.0.1' && hostname !== 'localhost')
      complaints.push(`asked ${request.url()}`);
  });
}
