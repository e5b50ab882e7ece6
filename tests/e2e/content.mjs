/* Detection content in a real browser against the real server: read, publish, take back; in Japanese
 * and English, wide and narrow, light and dark. Environment as drill.mjs. */
import { randomBytes } from 'node:crypto';
import { checkAccessible, openBrowser, openWindow, shooter } from './browser.mjs';
import { Console } from './console.mjs';

const url = process.env.HINOMI_URL;
const user = process.env.HINOMI_USER ?? 'admin';
const oneTime = process.env.HINOMI_PASSWORD;
const folder = process.env.HINOMI_SHOTS;
if (!url || !oneTime || !folder) {
  console.error('HINOMI_URL, HINOMI_PASSWORD and HINOMI_SHOTS must be set');
  process.exit(2);
}
const shoot = shooter(folder);
const faults = [];
const secret = `Hinomi ${randomBytes(12).toString('hex')}`;

function must(ok, what) {
  if (!ok) throw new Error(what);
  console.log(`ok: ${what}`);
}

async function enter(c, first) {
  await c.page.goto('/');
  await c.heading('signin.title').waitFor();
  await c.signIn(user, first ? oneTime : secret);
  if (first) {
    await c.heading('password.title').waitFor();
    await c.changePassword(oneTime, secret);
  }
  await c.heading('overview.title').waitFor();
}

async function look(c, tag) {
  await c.open('/content', 'content.title');
  await c.page.getByRole('table', { name: c.t('content.versions') }).waitFor();
  await c.page.waitForTimeout(300);
  await shoot(c.page, `content-${tag}`);
  await checkAccessible(c.page, `content ${tag}`, faults);
  must((await c.page.locator('.state-error').count()) === 0, `no error is shown (${tag})`);
}

async function publish(c, tag) {
  const ring = () => c.page.getByRole('table', { name: c.t('content.rings') }).locator('tbody tr').first().innerText();
  must(/\b1\b/.test(await ring()), 'the canary ring is meant to have version 1');
  await c.button('content.publish').first().click();
  await shoot(c.page, `content-publish-${tag}`, false);
  await checkAccessible(c.page, `content publish ${tag}`, faults);
  await c.button('content.publish', c.page.locator('dialog')).click();
  await c.page.locator('dialog').waitFor({ state: 'detached' });
  await c.page.getByText(c.t('contentStage.canary'), { exact: true }).or(c.page.getByText(c.t('contentStage.early'), { exact: true })).or(c.page.getByText(c.t('contentStage.all'), { exact: true })).first().waitFor();
  must(true, 'version 2 is being rolled out');
}

async function takeBack(c, tag) {
  await c.button('content.rollback').click();
  const dialog = c.page.locator('dialog');
  await dialog.getByLabel(c.t('content.rollbackReason')).fill('browser test');
  await shoot(c.page, `content-rollback-${tag}`, false);
  await checkAccessible(c.page, `content take back ${tag}`, faults);
  await c.button('content.rollback', dialog).click();
  await dialog.waitFor({ state: 'detached' });
  await c.page.getByTestId('content-reason').getByText('browser test').waitFor();
  await c.page.getByText(c.t('contentStage.idle'), { exact: true }).waitFor({ timeout: 20_000 });
  must(true, 'it is taken back, with its reason');
}

const windows = [
  { lang: 'ja', theme: 'light', width: 1280 },
  { lang: 'en', theme: 'dark', width: 390 },
  { lang: 'en', theme: 'dark', width: 1280 },
  { lang: 'ja', theme: 'light', width: 390 },
];
const browser = await openBrowser();
try {
  for (const [i, w] of windows.entries()) {
    const tag = `${w.lang}-${w.theme}-${w.width}`;
    const { context, page } = await openWindow(browser, { url, faults, ...w });
    const c = new Console(page, w.lang);
    try {
      await enter(c, i === 0);
      await look(c, tag);
      if (i === 0) await publish(c, tag);
      if (i === 1) await takeBack(c, tag);
    } finally {
      await context.close();
    }
  }
} catch (error) {
  faults.push(error instanceof Error ? error.message : String(error));
} finally {
  await browser.close();
}
for (const f of faults) console.error(`FAULT ${f}`);
process.exit(faults.length === 0 ? 0 : 1);
