/* A real Chromium for the end-to-end tests. Owns: how it is started, what counts as a fault of a
 * page (console errors, failed requests, requests to elsewhere, axe violations), screenshots. Knows
 * no page of the console. Playwright and axe come from the console's own development packages. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(new URL('../../console/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core'), 'utf8');
const grave = new Set(['serious', 'critical']);

const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export async function openBrowser() {
  return chromium.launch({ executablePath: process.env.HINOMI_CHROMIUM ?? '/usr/bin/chromium', args });
}

/* What Chromium itself logs when a sign-in is refused: asked for by the test, no fault. */
const refusedSignIn = (text, url) => text.includes('401') && url.endsWith('/api/v1/session');

/* One window: language, theme and size as a person would have them. */
export async function openWindow(browser, { url, lang, theme, width, faults }) {
  const context = await browser.newContext({
    baseURL: url,
    ignoreHTTPSErrors: true,
    locale: lang === 'ja' ? 'ja-JP' : 'en-GB',
    timezoneId: 'Asia/Tokyo',
    viewport: { width, height: width < 500 ? 844 : 800 },
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await context.addInitScript(
    ([l, t]) => {
      localStorage.setItem('hinomi.language', l);
      localStorage.setItem('hinomi.theme', t);
    },
    [lang, theme],
  );
  const page = await context.newPage();
  const where = `${lang}/${theme}/${width}`;
  page.on('console', (m) => {
    if (m.type() === 'error' && !refusedSignIn(m.text(), m.location().url)) faults.push(`${where} console: ${m.text()} (${m.location().url})`);
  });
  page.on('pageerror', (e) => faults.push(`${where} exception: ${e.message}`));
  page.on('request', (r) => {
    if (new URL(r.url()).origin !== new URL(url).origin && !r.url().startsWith('data:')) faults.push(`${where} request to elsewhere: ${r.url()}`);
  });
  page.on('response', (r) => {
    if (r.status() >= 500) faults.push(`${where} HTTP ${r.status()}: ${r.url()}`);
  });
  return { context, page, where };
}

export async function checkAccessible(page, name, faults) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }));
  for (const v of result.violations) {
    if (grave.has(v.impact)) faults.push(`${name} axe ${v.impact} ${v.id}: ${v.nodes[0]?.html.slice(0, 200)}`);
  }
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (sideways > 0) faults.push(`${name} scrolls sideways by ${sideways} px`);
}

export function shooter(folder) {
  mkdirSync(folder, { recursive: true });
  return async (page, name, fullPage = true) => {
    if (fullPage) await page.evaluate(() => window.scrollTo(0, 0)); /* or sticky bars land in the middle */
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage });
  };
}
