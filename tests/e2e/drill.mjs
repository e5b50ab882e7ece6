/* The main job in a real browser against the real server: sign in, change the one-time password,
 * start the drill, read the alert, kill, isolate, release; in Japanese and English, wide and narrow,
 * light and dark. Fails on a wrong outcome, a console error or a grave accessibility violation.
 * HINOMI_URL, HINOMI_USER, HINOMI_PASSWORD (one-time), HINOMI_SHOTS. Prints figures as one JSON line. */
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
const ATTACKER = '198.51.100.7:4444';
const PAYLOAD = '.cache-update';
const ALERT_LIMIT_MS = 10_000;
const ORDER_LIMIT_MS = 60_000;

const shoot = shooter(folder);
const faults = [];
const figures = {};
const secret = `Hinomi ${randomBytes(12).toString('hex')}`;
const started = Date.now();
const log = (text) => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`);

function must(ok, what) {
  if (!ok) throw new Error(what);
  log(`ok: ${what}`);
}

async function firstSignIn(c) {
  await c.page.goto('/');
  await c.heading('signin.title').waitFor();
  await checkAccessible(c.page, 'sign-in', faults);
  await shoot(c.page, `signin-${c.lang}`);
  await c.signIn(user, 'certainly not the password');
  await c.page.getByRole('alert').waitFor();
  must((await c.page.getByRole('alert').innerText()).includes(c.t('signin.wrong')), 'a wrong password is refused in words');
  await c.signIn(user, oneTime);
  await c.heading('password.title').waitFor();
  await checkAccessible(c.page, 'password', faults);
  await shoot(c.page, `password-${c.lang}`);
  await c.changePassword(oneTime, secret);
  await c.heading('overview.title').waitFor();
  must(true, 'the one-time password had to be changed');
}

async function signIn(c) {
  await c.page.goto('/');
  await c.heading('signin.title').waitFor();
  await c.signIn(user, secret);
  await c.heading('overview.title').waitFor();
}

async function startDrill(c, tag) {
  await c.open('/', 'overview.title');
  await c.drillButton().waitFor({ timeout: 30_000 });
  await c.drillButton().click();
  await shoot(c.page, `drill-question-${tag}`, false);
  await checkAccessible(c.page, `drill question ${tag}`, faults);
  const at = Date.now();
  await c.startDrill();
  await c.drillAlertLink().waitFor({ timeout: ALERT_LIMIT_MS });
  figures[`alert_ms_${tag}`] = Date.now() - at;
  must(true, `the alert is on the screen ${Date.now() - at} ms after the click (${tag})`);
  await shoot(c.page, `drill-alert-${tag}`);
  await c.drillAlertLink().click();
  await c.page.getByTestId('reason').waitFor();
}

async function readAlert(c, tag) {
  await c.settled();
  must((await c.page.getByTestId('reason').innerText()).length > 20, 'the alert gives its reason in a sentence');
  const rows = c.tree().locator('tbody tr');
  await rows.first().waitFor();
  await c.tree().getByText(ATTACKER).first().waitFor({ timeout: 15_000 });
  must(true, `the tree shows where the shell is connected to: ${ATTACKER}`);
  must((await c.tree().locator('tr[data-marked="true"]').count()) === 1, 'one process is marked as the deciding one');
  const payload = c.tree().getByText(PAYLOAD).first();
  await payload.waitFor({ timeout: 20_000 });
  must((await rows.count()) >= 2, 'the dropped program is in the tree with its command line');
  await c.timeline().filter({ hasText: 'credentials' }).first().waitFor({ timeout: 30_000 });
  must((await c.page.locator('ol.timeline > li[data-class="process"]').count()) > 0, 'the time line has processes');
  must((await c.page.locator('ol.timeline > li[data-class="file"]').count()) > 0, 'the time line has files, the decoy among them');
  must((await c.page.locator('ol.timeline > li[data-class="network"]').count()) > 0, 'the time line has connections');
  await walkTree(c);
  await shoot(c.page, `alert-${tag}`);
  await checkAccessible(c.page, `alert ${tag}`, faults);
}

/* The other language and back, without losing the page. */
async function switchLanguage(c, tag) {
  const reason = c.page.getByTestId('reason');
  const before = await reason.innerText();
  const other = c.lang === 'ja' ? 'en' : 'ja';
  for (const lang of [other, c.lang]) {
    const select = c.page.locator('#rail select').first();
    if (!(await select.isVisible())) await c.button('nav.open').click();
    await select.selectOption(lang);
    await c.page.locator(`html[lang="${lang}"]`).waitFor();
    if (!(await reason.isVisible())) throw new Error('the page was lost with the language');
    if (lang === other) must((await reason.innerText()) !== before, `the reason is told in the other language (${tag})`);
    await shoot(c.page, `switched-${lang}-${tag}`, false);
  }
  const menu = c.button('nav.close');
  if (await menu.isVisible()) await menu.click();
}

/* The keyboard alone walks and folds the tree. */
async function walkTree(c) {
  const rows = c.tree().locator('tbody tr');
  const before = await rows.count();
  await rows.first().focus();
  await c.page.keyboard.press('ArrowLeft');
  must((await rows.count()) < before, 'the left arrow folds the tree');
  await c.page.keyboard.press('ArrowRight');
  await c.page.keyboard.press('ArrowDown');
  must((await rows.count()) === before && (await rows.nth(1).evaluate((e) => e === document.activeElement)), 'the arrows unfold and walk it');
}

async function giveOrder(c, kind, tag) {
  const dialog = await c.ask(kind);
  for (const part of ['order.what', 'order.undo', 'order.not']) await dialog.getByRole('heading', { name: c.t(part) }).waitFor();
  await shoot(c.page, `${kind}-question-${tag}`, false);
  await checkAccessible(c.page, `${kind} question ${tag}`, faults);
  const at = Date.now();
  const progress = await c.confirm(kind);
  await c.page.locator(`[data-order="${kind}"][data-state="done"]`).first().waitFor({ timeout: ORDER_LIMIT_MS });
  figures[`${kind}_ms_${tag}`] = Date.now() - at;
  must(true, `${kind} is done ${Date.now() - at} ms after the click (${tag})`);
  await shoot(c.page, `${kind}-done-${tag}`);
  return progress;
}

async function kill(c, tag) {
  const progress = await giveOrder(c, 'kill', tag);
  must((await progress.locator('.proc-list li').count()) >= 2, 'the outcome lists the processes that ended');
  must((await progress.locator('.tone-bad').count()) === 0, 'nothing survived');
  await c.tree().locator('tr[data-marked="true"][data-dead="true"]').waitFor({ timeout: 15_000 });
  const lives = await c.tree().locator('tr[data-dead="false"]').allInnerTexts();
  must(!lives.some((row) => row.includes(PAYLOAD) || row.includes(ATTACKER)), 'the tree on the page shows their end');
}

async function isolateAndRelease(c, tag) {
  for (const kind of ['isolate', 'release']) {
    const progress = await giveOrder(c, kind, tag);
    must((await progress.locator('.probes li').count()) >= 2, `${kind} shows its probes`);
    must((await progress.locator('.probes li[data-good="false"]').count()) === 0, 'every probe found what it should');
  }
  await c.page.getByTestId('isolate').waitFor();
}

async function changeState(c) {
  await c.page.getByLabel(c.t('alert.newState'), { exact: true }).selectOption('TRIAGE');
  await c.page.getByLabel(c.t('alert.stateReason'), { exact: true }).fill('drill');
  await c.button('alert.changeState').click();
  await c.page.locator('ol.history li').first().waitFor();
  must(true, 'the state is changed and its history kept');
}

/* From the alert to an exception: prefilled, previewed, made, listed and ended. */
async function makeException(c, tag) {
  await c.button('except.button').click();
  const form = c.page.getByTestId('except');
  await form.getByLabel(c.t('except.owner'), { exact: true }).fill('情報政策課');
  await form.getByLabel(c.t('except.reason'), { exact: true }).fill('drill');
  await c.button('except.preview', form).click();
  const told = form.getByTestId('except-preview');
  await told.waitFor();
  must(/[1-9]/.test(await told.innerText()), `the preview counts the alert itself (${tag})`);
  await shoot(c.page, `except-${tag}`, false);
  await checkAccessible(c.page, `except ${tag}`, faults);
  await c.button('except.make', form).click();
  await form.waitFor({ state: 'detached' });
  await c.open('/exceptions', 'except.list');
  await shoot(c.page, `exceptions-made-${tag}`);
  await c.button('except.end').first().click();
  await c.button('except.end', c.page.locator('dialog')).click();
  await c.page.locator('dialog').waitFor({ state: 'detached' });
  await c.page.getByText(c.t('exceptState.ended'), { exact: true }).first().waitFor();
  must(true, `an exception is made, listed and ended (${tag})`);
}

async function addEndpoint(c, tag) {
  await c.open('/endpoints/add', 'enroll.title');
  await c.button('enroll.make').click();
  const shown = c.page.getByTestId('enroll-command');
  await shown.waitFor();
  await c.button('common.copy').click();
  const copied = await c.page.evaluate(() => navigator.clipboard.readText());
  must(copied === (await shown.innerText()) && copied.length > 20, 'one line is shown and copied');
  await shoot(c.page, `add-endpoint-${tag}`);
  await checkAccessible(c.page, `add endpoint ${tag}`, faults);
}

/* A second drill makes something to see: the stream shows only what happens from now on. */
async function liveEvents(c, tag) {
  await c.open('/', 'overview.title');
  await c.drillButton().click();
  await c.startDrill();
  await c.page.locator('dialog').waitFor({ state: 'detached' });
  await c.go('nav.events');
  await c.page.locator('.ev-row').filter({ hasText: PAYLOAD }).first().waitFor({ timeout: 30_000 });
  must(true, `the drill passes by in the live events (${tag})`);
  await c.button('events.pause').click();
  await c.page.locator('.ev-row').first().click();
  const drawer = c.page.locator('dialog[open]');
  must((await drawer.locator('dl.fields > div').count()) > 5, 'a live event opens with its fields named');
  await shoot(c.page, `event-${tag}`, false);
  await checkAccessible(c.page, `event ${tag}`, faults);
  await c.page.keyboard.press('Escape');
  await shoot(c.page, `events-${tag}`, false);
}

async function everyPage(c, tag) {
  const endpoints = await c.page.evaluate(async () => (await (await fetch('/api/v1/endpoints')).json()).items);
  const practice = endpoints.find((e) => e.practice);
  const stories = await c.page.evaluate(async () => (await (await fetch('/api/v1/stories')).json()).items);
  must(stories.length > 0 && stories[0].alerts >= 1 && stories[0].risk > 0, `the drill's alerts are a story with a risk (${tag})`);
  const pages = [
    ['overview', '/', 'overview.title'],
    ['stories', '/stories?state=all', 'story.title'],
    ['story', `/stories/${stories[0].id}`, null],
    ['alerts', '/alerts?state=all', 'alerts.title'],
    ['endpoints', '/endpoints', 'endpoints.title'],
    ['endpoint', `/endpoints/${practice.id}`, null],
    ['history', '/events?mode=history', 'events.title'],
    ['rules', '/rules', 'rules.title'],
    ['exceptions', '/exceptions', 'except.list'],
    ['content', '/content', 'content.title'],
    ['audit', '/audit', 'audit.title'],
  ];
  for (const [name, path, key] of pages) {
    await c.open(path, key);
    await c.page.waitForTimeout(300);
    await shoot(c.page, `${name}-${tag}`);
    await checkAccessible(c.page, `${name} ${tag}`, faults);
    must((await c.page.locator('.state-error').count()) === 0, `${name} shows no error (${tag})`);
  }
}

const windows = [
  { lang: 'ja', theme: 'light', width: 1280, drill: true },
  { lang: 'en', theme: 'dark', width: 390, drill: true },
  { lang: 'en', theme: 'dark', width: 1280, drill: false },
  { lang: 'ja', theme: 'light', width: 390, drill: false },
];

async function run(browser) {
  for (const [i, w] of windows.entries()) {
    const tag = `${w.lang}-${w.theme}-${w.width}`;
    log(`--- ${tag}`);
    const { context, page } = await openWindow(browser, { url, faults, ...w });
    const c = new Console(page, w.lang);
    try {
      await (i === 0 ? firstSignIn(c) : signIn(c));
      if (w.drill) {
        await startDrill(c, tag);
        await readAlert(c, tag);
        await switchLanguage(c, tag);
        await kill(c, tag);
        await isolateAndRelease(c, tag);
        await changeState(c);
        await makeException(c, tag);
      }
      await addEndpoint(c, tag);
      await liveEvents(c, tag);
      await everyPage(c, tag);
    } catch (error) {
      await shoot(page, `failed-${tag}`).catch(() => undefined);
      throw error;
    } finally {
      await context.close();
    }
  }
}

const browser = await openBrowser();
try {
  await run(browser);
} catch (error) {
  faults.push(error instanceof Error ? error.message : String(error));
} finally {
  await browser.close();
}
console.log(JSON.stringify({ test: 'drill-browser', seconds: (Date.now() - started) / 1000, ...figures, faults: faults.length }));
for (const f of faults) console.error(`FAULT ${f}`);
process.exit(faults.length === 0 ? 0 : 1);
